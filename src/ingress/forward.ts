// Forwarding: sends a request to targets of its pool until one responds. Failed attempts are retried one
// after another; slow attempts of a repeatable request are hedged in parallel.

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

/** Maximum attempts of a request with one table. The platform queues a seventh open connection. */
export const maxAttempts = 4;

/** The progress of a request, and the only mutable state it has. */
export type ForwardState = {
  upstream: UpstreamRequest | null;
  /** The targets chosen by the table used last; null before that. */
  choice: RouteChoice | null;
  /** The node whose entry point serves it; null until it is placed. */
  node: EntryNode | null;
  /** Ids of the tried targets; null before the first attempt, and always if it is not repeatable. */
  tried: Set<string> | null;
  attempts: number;
  /** How many more attempts are allowed with this table. */
  attemptsLeft: number;
  /** The target of the last attempt, or the target that responded. */
  target: Target | null;
  /** How long it waited in the request queue, milliseconds. */
  queuedMs: number;
  /** The request queue was full or its wait too long: no newer table helps. */
  isOverloaded: boolean;
  /** The request's random number, [0, 1); null until one is drawn. */
  draw: number | null;
};

/** One request with its route and pool in the current table, and its state. */
export type Forwarding = RouteChoice & {
  readonly incoming: ProxyRequest;
  readonly upstream: UpstreamRequest;
  readonly stats: ServiceStats;
  /** Names the cursor of round robin. */
  readonly cursor: string;
  /** Null if telemetry is off. */
  readonly countedAt: CountedAt | null;
  readonly state: ForwardState;
};

/**
 * A target's response, or the reason for having none. `over-budget`: the retry budget is used up.
 * `queue-full`: the request queue is full. `queue-timeout`: the request was queued for too long.
 */
export type ForwardResult = HedgeResult | "over-budget" | "queue-full" | "queue-timeout";

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
    isOverloaded: false,
    draw: null,
  };
}

/** Sends the request until a target responds, no target is left, or the head timeout ends. */
export async function forward(forwarding: Forwarding): Promise<ForwardResult> {
  const { incoming, upstream, stats, pool, state } = forwarding;
  const { plane } = incoming;
  const canHedge = upstream.isHedgeable && pool.ids.length > 1;
  let nowMs = plane.nowMs();
  let endsMs = nowMs + plane.headTimeoutMs;
  stats.retries.request(nowMs);
  if (upstream.isHedgeable) stats.hedges.request(nowMs);
  while (state.attemptsLeft > 0) {
    if (state.attempts > 0 && !stats.retries.take(nowMs)) return "over-budget";
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
    // The client decides how long a streaming body takes.
    const outcome = await (upstream.isTimed
      ? within(
          attempt.outcome,
          Math.min(endsMs - nowMs, canHedge ? stats.latency.hedgeAfterMs : attemptPollMs),
        )
      : attempt.outcome);
    const result =
      outcome === "timeout" ? await hedge(forwarding, attempt, endsMs) : settle(forwarding, attempt, outcome);
    if (result !== "failed") return result;
    if (!upstream.isRepeatable) break;
    nowMs = plane.nowMs();
  }
  return "failed";
}

/** The next target; null if all were tried or are full, or if other requests are queued for one. */
export function nextTarget(forwarding: Forwarding): Target | null {
  const { incoming, pool, route } = forwarding;
  const { plane } = incoming;
  if (pool.hasMaxconn && plane.queue.length(route.service.id, plane.nowMs()) > 0) return null;
  return pick(forwarding);
}

/** The next target of a request in the queue. */
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
