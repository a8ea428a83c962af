// Asking: one request on its way to tasks, and the single attempts it is made of.

import { attempt, type Outcome } from "../proxy/http/dial.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import type { ServiceStats } from "../proxy/resilience/service-stats.ts";
import { pickTarget } from "../proxy/routing/pick-target.ts";
import type { RouteHints } from "../proxy/routing/route-hints.ts";
import type { Target, TargetPool } from "../proxy/routing/target-pool.ts";
import {
  type AttemptReason,
  type CountedAt,
  countEjection,
  countOutcome,
  countPanic,
  countSent,
} from "./counting.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Trace } from "./trace.ts";

/** Tasks asked for one request with one table, at most. All may wait at once; the platform lets a seventh queue unseen. */
export const maxAttempts = 4;

/** What is asked, and what came of it by now. */
export type Forwarding = {
  readonly plane: DataPlane;
  readonly traffic: ServiceStats;
  readonly outgoing: Outgoing;
  readonly serviceId: string;
  readonly ring: TargetPool;
  /** A header that each answer of the service's own has. */
  readonly marker: string | undefined;
  /** What the request says about where it goes; null: its service does not ask. */
  readonly wish: RouteHints | null;
  /** Names whose turn it is: a node and one of its routes. */
  readonly round: string;
  /** Ids of the tasks asked. */
  tried: Set<string> | null;
  attempts: number;
  /** How long it was in line, milliseconds. */
  waitedMs: number;
  /** How many more may be asked with this table. */
  left: number;
  /** Null unless the request asks for it. */
  readonly trace: Trace | null;
  /** The task asked last; of several, the one that answered. */
  target: Target | null;
  /** Null: nothing is counted. */
  readonly counted: CountedAt | null;
  /** Work that may go on after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

/** One attempt under way. */
export type Attempt = {
  readonly target: Target;
  readonly outcome: Promise<Outcome>;
  /** Epoch milliseconds. */
  readonly ms: number;
  /** Asked beside another one, which keeps the request waiting. */
  readonly isHedge: boolean;
  /** The meter's turn. */
  readonly turn: number;
};

/** The task whose turn it is; null when every one was tried, or is full, or others wait for one. */
export function nextTarget(asking: Forwarding): Target | null {
  const { plane, ring, serviceId } = asking;
  if (ring.hasMaxconn && plane.queue.length(serviceId, plane.nowMs()) > 0) return null;
  return pick(asking);
}

/** The same for a request that is in line. */
export function pick({ plane, round, ring, tried, outgoing, wish, counted }: Forwarding): Target | null {
  const { panicCount } = plane.outliers;
  const target = pickTarget(plane, round, ring, tried, !outgoing.repeatable, wish);
  if (counted !== null && plane.outliers.panicCount !== panicCount) countPanic(counted);
  return target;
}

/** Sends the request to a task. @param open where it is counted as open already */
export function send(
  asking: Forwarding,
  target: Target,
  why: AttemptReason,
  open: OpenRequest | null = null,
): Attempt {
  const { plane, outgoing, counted } = asking;
  if (counted !== null) countSent(counted, target, why, asking.target);
  asking.attempts += 1;
  asking.left -= 1;
  asking.target = target;
  if (outgoing.repeatable) {
    asking.tried ??= new Set();
    asking.tried.add(target.taskId);
  }
  const ms = plane.nowMs();
  const outcome = attempt(plane, target.origin + outgoing.path, outgoing.init, asking.marker);
  asking.trace?.follow(target, outcome);
  if (asking.ring.tracksOpen) countOpen(asking, outcome, open ?? plane.open.open(target.taskId, ms));
  return { target, outcome, ms, isHedge: why === "hedge", turn: plane.meter?.generation ?? 0 };
}

/** A body that streams may take this long until its answer begins, milliseconds. */
const longestUploadMs = 600_000;

/** Counts an attempt as open until its answer begins; then whoever waits in line may have the task. */
function countOpen(
  { plane, outgoing, serviceId, waitUntil }: Forwarding,
  outcome: Promise<Outcome>,
  open: OpenRequest,
): void {
  open.untilMs = plane.nowMs() + (outgoing.timed ? 2 * plane.headTimeoutMs : longestUploadMs);
  const closed = outcome.then(() => {
    plane.open.close(open);
    plane.queue.serve(serviceId, plane.nowMs());
  });
  // Goes on when the client has gone.
  waitUntil(closed);
}

/** Takes in how an attempt went. */
export function settle(asking: Forwarding, { target, ms, turn }: Attempt, outcome: Outcome): Outcome {
  const { plane, traffic, outgoing, counted } = asking;
  const nowMs = plane.nowMs();
  if (counted !== null) countOutcome(counted, target, turn, outcome, nowMs - ms, outgoing.timed);
  if (plane.frozen.any) plane.frozen.responded(target.taskId);
  if (outcome === "failed") {
    // A streaming body that breaks off fails the attempt as well; then the client may be to blame.
    if (outgoing.timed) passOver(asking, target);
    return outcome;
  }
  asking.target = target;
  if (plane.outliers.any) plane.outliers.answered(target.taskId, nowMs);
  if (outgoing.hedgeable) traffic.latency.record(nowMs - ms, nowMs);
  return outcome;
}

/** From here on requests pass the task over, and the registry hears of it. */
export function passOver({ plane, counted }: Forwarding, target: Target): void {
  if (!plane.outliers.failed(target.taskId, plane.nowMs())) return;
  plane.suspects.add(target.taskId);
  if (counted !== null) countEjection(counted, target);
}

/** Lets go of an attempt that lost: its answer, if one comes, is not read. Resolves when it has come. */
export async function letGo({ outcome }: Attempt): Promise<void> {
  const came = await outcome;
  if (came === "failed") return;
  const { webSocket } = came as Upgraded;
  if (webSocket === undefined || webSocket === null) {
    await came.body?.cancel().catch(() => undefined);
    return;
  }
  // Nobody else would end it: the request lasts as long as the socket of the task that won.
  webSocket.accept();
  webSocket.close(goingAway, "another task answered first");
}

/** RFC 6455 §7.4.1. */
const goingAway = 1001;

/** A response as the Workers runtime has it: that to an upgrade holds the socket. */
type Upgraded = {
  readonly webSocket?: { accept(): void; close(code: number, reason: string): void } | null;
};
