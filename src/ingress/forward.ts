// Forwarding: sends a request to targets of its pool until one responds. One after another when they cannot be reached,
// and several at once when they keep a request waiting that may be sent twice.

import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import type { ServiceStats } from "../proxy/resilience/service-stats.ts";
import { pickTarget } from "../proxy/routing/pick-target.ts";
import type { RouteChoice } from "../proxy/routing/route-hints.ts";
import type { EntryNode } from "../proxy/routing/routes.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { settle, startAttempt, within } from "./attempt.ts";
import { type CountedAt, countPanic } from "./counting.ts";
import { attemptPollMs, type HedgeResult, hedge } from "./hedge.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import { mustQueue, waitInQueue } from "./queue.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

/** Attempts for one request with one table, at most. All may be open at once; the platform would queue a seventh unseen. */
export const maxAttempts = 4;

/** What has become of a request so far; the only mutable state of a request. */
export type ForwardState = {
  upstream: UpstreamRequest | null;
  /** The targets chosen by the table used last; null before that. */
  choice: RouteChoice | null;
  /** Where it came in; null while that is unknown. */
  node: EntryNode | null;
  /** Ids of the targets it was sent to, if it may be sent to another; null before the first. */
  tried: Set<string> | null;
  attempts: number;
  /** How many more attempts this table allows. */
  attemptsLeft: number;
  /** The target of the last attempt; of several, the one that responded. */
  target: Target | null;
  /** How long it waited in the request queue, milliseconds. */
  queuedMs: number;
  /** Its service's targets were all full: no newer table helps. */
  isTurnedAway: boolean;
  /** One random number for the request, [0, 1), once one was drawn. */
  draw: number | null;
};

/** One request, where it goes by the table in use, and its state. */
export type Forwarding = RouteChoice & {
  readonly incoming: ProxyRequest;
  readonly upstream: UpstreamRequest;
  readonly stats: ServiceStats;
  /** Names the cursor of round robin. */
  readonly cursor: string;
  /** Null where nothing is counted. */
  readonly countedAt: CountedAt | null;
  readonly state: ForwardState;
};

/**
 * A target's response, or why there is none: `spent` when the retry budget is used up, `full` and `late` when all
 * targets had their maximum of open requests and too many requests were queued, or for too long.
 */
export type ForwardResult = HedgeResult | "spent" | "full" | "late";

export function newForwardState(): ForwardState {
  return {
    upstream: null,
    choice: null,
    node: null,
    tried: null,
    attempts: 0,
    attemptsLeft: maxAttempts,
    target: null,
    queuedMs: 0,
    isTurnedAway: false,
    draw: null,
  };
}

/** Sends the request until a target responds, none is left, or the head time-out ends. */
export async function forward(forwarding: Forwarding): Promise<ForwardResult> {
  const { incoming, upstream, stats, pool, state } = forwarding;
  const { plane } = incoming;
  const canHedge = upstream.isHedgeable && pool.ids.length > 1;
  let nowMs = plane.nowMs();
  let endsMs = nowMs + plane.headTimeoutMs;
  stats.retries.request(nowMs);
  if (upstream.isHedgeable) stats.hedges.request(nowMs);
  while (state.attemptsLeft > 0) {
    if (state.attempts > 0 && !stats.retries.take(nowMs)) return "spent";
    let target = nextTarget(forwarding);
    let open: OpenRequest | null = null;
    if (target === null && mustQueue(forwarding)) {
      const dequeued = await waitInQueue(forwarding);
      const waitedMs = plane.nowMs() - nowMs;
      state.queuedMs += waitedMs;
      if (typeof dequeued === "string") return dequeued;
      ({ target, open } = dequeued);
      nowMs += waitedMs;
      endsMs = nowMs + plane.headTimeoutMs;
    }
    if (target === null) break;
    const attempt = startAttempt(forwarding, target, state.attempts === 0 ? "first" : "retry", nowMs, open);
    // How long a streaming body takes is up to the client.
    const outcome = await (upstream.isTimed
      ? within(
          attempt.outcome,
          Math.min(endsMs - nowMs, canHedge ? stats.latency.hedgeAfterMs : attemptPollMs),
        )
      : attempt.outcome);
    const result =
      outcome === "slow" ? await hedge(forwarding, attempt, endsMs) : settle(forwarding, attempt, outcome);
    if (result !== "failed") return result;
    if (!upstream.isRepeatable) break;
    nowMs = plane.nowMs();
  }
  return "failed";
}

/** The next target; null when every one was tried or is full, or when other requests are queued for one. */
export function nextTarget(forwarding: Forwarding): Target | null {
  const { incoming, pool, route } = forwarding;
  const { plane } = incoming;
  if (pool.hasMaxconn && plane.queue.length(route.service.id, plane.nowMs()) > 0) return null;
  return pick(forwarding);
}

/** As `nextTarget`, for a request in the queue. */
export function pick({
  incoming,
  pool,
  cursor,
  hints,
  upstream,
  state,
  countedAt,
}: Forwarding): Target | null {
  const { plane } = incoming;
  const { panicCount } = plane.outliers;
  const { isRepeatable } = upstream;
  const target = pickTarget(plane, pool, { cursor, tried: state.tried, isRepeatable, hints });
  if (countedAt !== null && plane.outliers.panicCount !== panicCount) countPanic(countedAt);
  return target;
}
