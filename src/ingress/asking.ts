// Asking: one request on its way to tasks, and the single attempts it is made of.

import { attempt, type Outcome } from "../proxy/attempt.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { Ring, Target } from "../proxy/ring.ts";
import type { ServiceTraffic } from "../proxy/service-traffic.ts";
import { type Counted, countEjection, countOutcome, countSent, type Why } from "./counting.ts";
import type { Outgoing } from "./outgoing.ts";
import { pickTarget } from "./pick.ts";
import type { Trace } from "./trace.ts";

/** Tasks asked for one request with one table, at most. All may wait at once; the platform lets a seventh queue unseen. */
export const maxAttempts = 4;

/** What is asked, and what came of it by now. */
export type Asking = {
  readonly plane: DataPlane;
  readonly traffic: ServiceTraffic;
  readonly outgoing: Outgoing;
  readonly ring: Ring;
  /** A header that each answer of the service's own has. */
  readonly marker: string | undefined;
  /** Names whose turn it is: a node and one of its routes. */
  readonly round: string;
  /** Ids of the tasks asked. */
  tried: Set<string> | null;
  attempts: number;
  /** How many more may be asked with this table. */
  left: number;
  /** Null unless the request asks for it. */
  readonly trace: Trace | null;
  /** The task asked last; of several, the one that answered. */
  target: Target | null;
  /** Null: nothing is counted. */
  readonly counted: Counted | null;
  /** Work that may go on after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

/** One attempt under way. */
export type Sent = {
  readonly target: Target;
  readonly outcome: Promise<Outcome>;
  /** Epoch milliseconds. */
  readonly ms: number;
  /** Asked beside another one, which keeps the request waiting. */
  readonly isHedge: boolean;
  /** The meter's turn. */
  readonly turn: number;
};

/** The task whose turn it is; null when every one was tried. */
export function nextTarget({ plane, round, ring, tried, outgoing }: Asking): Target | null {
  return pickTarget(plane, round, ring, tried, !outgoing.repeatable);
}

/** Sends the request to a task. */
export function send(asking: Asking, target: Target, why: Why): Sent {
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
  const outcome = attempt(plane, outgoing.to(target.origin), asking.marker);
  asking.trace?.follow(target, outcome);
  return { target, outcome, ms, isHedge: why === "hedge", turn: plane.meter?.turn ?? 0 };
}

/** Takes in how an attempt went. */
export function settle(asking: Asking, { target, ms, turn }: Sent, outcome: Outcome): Outcome {
  const { plane, traffic, outgoing, counted } = asking;
  const nowMs = plane.nowMs();
  if (counted !== null) countOutcome(counted, target, turn, outcome, nowMs - ms, outgoing.timed);
  if (plane.silence.any) plane.silence.heard(target.taskId);
  if (outcome === "failed") {
    // A streaming body that breaks off fails the attempt as well; then the client may be to blame.
    if (outgoing.timed) passOver(asking, target);
    return outcome;
  }
  asking.target = target;
  if (plane.outliers.any) plane.outliers.answered(target.taskId, nowMs);
  if (outgoing.hedgeable) traffic.latency.answered(nowMs - ms, nowMs);
  return outcome;
}

/** From here on requests pass the task over, and the registry hears of it. */
export function passOver({ plane, counted }: Asking, target: Target): void {
  if (!plane.outliers.failed(target.taskId, plane.nowMs())) return;
  plane.suspects.add(target.taskId);
  if (counted !== null) countEjection(counted, target);
}

/** Lets go of an attempt that lost: its answer, if one comes, is not read. Resolves when it has come. */
export async function letGo({ outcome }: Sent): Promise<void> {
  const came = await outcome;
  if (came !== "failed") await came.body?.cancel().catch(() => undefined);
}
