// Forwarding: a request on its way to a target. Its state, and the choice of its next target.

import type { AttemptPolicy } from "../proxy/limits.ts";
import type { ServiceStats } from "../proxy/resilience/service-stats.ts";
import { pickTarget } from "../proxy/routing/pick-target.ts";
import type { RouteChoice } from "../proxy/routing/route-hints.ts";
import type { EntryNode } from "../proxy/routing/routes.ts";
import type { Target, TargetPool } from "../proxy/routing/target-pool.ts";
import type { BodyFault, ClientBody } from "./client-body.ts";
import { type CountedAt, countPanic } from "./counting.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

/** How far a request has come. `ProxyRequest` holds what never changes. */
export type ForwardState = {
  /** What targets are sent; null until a route was chosen. */
  upstream: UpstreamRequest | null;
  /** The client's body, if it streams and is watched. */
  clientBody: ClientBody | null;
  /** The targets chosen by the table used last; null before that. */
  choice: RouteChoice | null;
  /** The node whose entry point serves it; null until it is placed. */
  node: EntryNode | null;
  /** Ids of the tried targets; null before the first attempt, and always if it is not repeatable. */
  tried: Set<string> | null;
  attempts: number;
  /** How many more attempts are allowed with this table. */
  attemptsLeft: number;
  /** Attempts that were not delivered to a task. */
  undelivered: number;
  /** How many more attempts may be left undelivered with this table. */
  undeliveredLeft: number;
  /** Whether the table was refreshed for this request, or has to be before the request goes on. */
  refresh: "none" | "wanted" | "done";
  /** What the targets of the table before were tried with; null with the first table. */
  triedBy: { readonly targets: readonly Target[]; readonly signingKey: string | null } | null;
  /** The target of the last attempt, or the target that responded. */
  target: Target | null;
  /** The meter's generation in which it was counted as open, or renewed. */
  openGeneration: number;
  /** The same for the queue; null if it is not in the queue. */
  queueGeneration: number | null;
  /** When these were counted or renewed, epoch milliseconds. */
  renewedMs: number;
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
  readonly policy: AttemptPolicy;
  readonly stats: ServiceStats;
  /** Names the cursor of round robin. */
  readonly cursor: string;
  /** Null if telemetry is off. */
  readonly countedAt: CountedAt | null;
  readonly state: ForwardState;
};

/**
 * A target's response, or the reason for having none:
 * - `failed`: every attempt failed;
 * - `undelivered`: no gateway delivered it to a task;
 * - `timeout`: no target responded within the head timeout;
 * - `frozen`: the target of a request that is not repeatable is frozen;
 * - `body-broken`, `body-stalled`: the client did not send its body;
 * - `over-budget`: the retry budget is used up;
 * - `queue-full`, `queue-timeout`: the request queue is full, or the request was queued for too long.
 */
export type ForwardResult =
  | Response
  | "failed"
  | "undelivered"
  | "timeout"
  | "frozen"
  | BodyFault
  | "over-budget"
  | "queue-full"
  | "queue-timeout";

export function newForwardState(): ForwardState {
  return {
    upstream: null,
    clientBody: null,
    choice: null,
    node: null,
    tried: null,
    attempts: 0,
    attemptsLeft: 0,
    undelivered: 0,
    undeliveredLeft: 0,
    refresh: "none",
    triedBy: null,
    target: null,
    openGeneration: 0,
    queueGeneration: null,
    renewedMs: 0,
    queuedMs: 0,
    isOverloaded: false,
    draw: null,
  };
}

/**
 * Forgets the tried targets that the current table reaches in another way: by another key, gateway or address.
 *
 * @param signingKey of the current table
 */
export function forgetMovedTargets(
  state: ForwardState,
  { all }: TargetPool,
  signingKey: string | null,
): void {
  const { tried, triedBy } = state;
  if (tried === null || triedBy === null) return;
  const hasNewKey = signingKey !== triedBy.signingKey;
  for (const before of triedBy.targets) {
    const now = all.find(({ taskId }) => taskId === before.taskId);
    if (now !== undefined && ((hasNewKey && now.gateway !== null) || !isSameWay(before, now)))
      tried.delete(before.taskId);
  }
}

function isSameWay(one: Target, other: Target): boolean {
  return (
    one.origin === other.origin &&
    one.port === other.port &&
    one.nodeId === other.nodeId &&
    one.gateway?.base === other.gateway?.base &&
    one.gateway?.transport === other.gateway?.transport
  );
}

/** The next target; null if all were tried or are full, or if other requests are queued for one. */
export function nextTarget(forwarding: Forwarding): Target | null {
  const { incoming, pool, route } = forwarding;
  const { plane } = incoming;
  if (pool.hasMaxconn && plane.queue.length(route.service.id, plane.nowMs()) > 0) return null;
  return pick(forwarding);
}

/** The next target, whether or not other requests are queued. */
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
