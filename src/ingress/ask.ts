// Asking the tasks of a service, one after another when they cannot be reached, and two at once when the first keeps a
// request waiting that may be asked twice.
//
// At most two attempts of one request wait for an answer at a time; the platform allows six.

import { attempt, discard, firstOf, type Outcome, within } from "../proxy/attempt.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { Ring, Target } from "../proxy/ring.ts";
import type { ServiceTraffic } from "../proxy/service-traffic.ts";
import type { Outgoing } from "./outgoing.ts";
import { pickTarget } from "./pick.ts";
import type { Trace } from "./trace.ts";

/** Tasks asked for one request with one table, at most. */
const maxAttempts = 4;

/** Where the hedge budget is spent, a second task is asked after this long at the cost of the retry budget. */
const lateHedgeMs = 1_000;

/** What is asked, and what came of it by now. */
export type Asking = {
  readonly plane: DataPlane;
  readonly traffic: ServiceTraffic;
  readonly outgoing: Outgoing;
  readonly ring: Ring;
  /** Names whose turn it is: a node and one of its routes. */
  readonly round: string;
  /** Ids of the tasks asked. */
  tried: Set<string> | null;
  attempts: number;
  /** Null unless the request asks for it. */
  readonly trace: Trace | null;
  /** The task asked last; of two, the one that answered. */
  target: Target | null;
};

/** A task's answer; or none could be reached; or none answered in time; or there is no budget to ask on. */
export type Asked = Response | "failed" | "slow" | "spent";

/** Asks until a task answers, none is left, or the head time-out ends. */
export async function ask(asking: Asking): Promise<Asked> {
  const { plane, traffic, outgoing } = asking;
  const startedMs = plane.nowMs();
  const endsMs = startedMs + plane.headTimeoutMs;
  traffic.retries.request(startedMs);
  if (outgoing.hedgeable) traffic.hedges.request(startedMs);
  for (let left = maxAttempts; left > 0; left -= 1) {
    if (asking.attempts > 0 && !traffic.retries.take(plane.nowMs())) return "spent";
    const target = nextTarget(asking);
    if (target === null) break;
    const asked = await askOne(asking, target, endsMs);
    if (asked !== "failed") return asked;
    if (!outgoing.repeatable) break;
  }
  return "failed";
}

function nextTarget(asking: Asking): Target | null {
  const { plane, round, ring, outgoing } = asking;
  return pickTarget(plane, round, ring, asking.tried, !outgoing.repeatable);
}

async function askOne(asking: Asking, target: Target, endsMs: number): Promise<Response | "failed" | "slow"> {
  const { plane, traffic, outgoing } = asking;
  const sentMs = plane.nowMs();
  const sent = send(asking, target);
  // How long a streaming body takes is up to the client.
  if (!outgoing.timed) return settle(asking, target, await sent, sentMs);
  const mayHedge = outgoing.hedgeable && asking.ring.ids.length > 1;
  const patienceMs = mayHedge ? Math.min(traffic.latency.hedgeAfterMs, endsMs - sentMs) : endsMs - sentMs;
  const soon = await within(sent, patienceMs);
  if (soon !== "slow") return settle(asking, target, soon, sentMs);
  if (!mayHedge) return tooSlow(asking, target);
  return hedge(asking, target, sent, sentMs, endsMs);
}

/** The first task keeps the request waiting: asks a second one if a budget allows, and takes whichever answers. */
async function hedge(
  asking: Asking,
  first: Target,
  sent: Promise<Outcome>,
  sentMs: number,
  endsMs: number,
): Promise<Response | "failed" | "slow"> {
  const { plane, traffic } = asking;
  if (!traffic.hedges.take(plane.nowMs())) {
    const later = await within(sent, Math.min(lateHedgeMs, endsMs - plane.nowMs()));
    if (later !== "slow") return settle(asking, first, later, sentMs);
    if (!traffic.retries.take(plane.nowMs())) return last(asking, first, sent, sentMs, endsMs);
  }
  const second = nextTarget(asking);
  if (second === null) return last(asking, first, sent, sentMs, endsMs);
  const secondSentMs = plane.nowMs();
  const secondSent = send(asking, second);
  const winner = await within(firstOf([sent, secondSent]), endsMs - secondSentMs);
  if (winner === "slow") {
    tooSlow(asking, first);
    return tooSlow(asking, second);
  }
  const secondWon = winner.index === 1;
  void discard(secondWon ? sent : secondSent);
  if (secondWon && winner.outcome !== "failed" && plane.outliers.slow(first.taskId, plane.nowMs())) {
    plane.suspects.add(first.taskId);
  }
  if (secondWon) return settle(asking, second, winner.outcome, secondSentMs);
  return settle(asking, first, winner.outcome, sentMs);
}

/** Nobody else to ask: waits for the one that was. */
async function last(
  asking: Asking,
  target: Target,
  sent: Promise<Outcome>,
  sentMs: number,
  endsMs: number,
): Promise<Response | "failed" | "slow"> {
  const outcome = await within(sent, endsMs - asking.plane.nowMs());
  return outcome === "slow" ? tooSlow(asking, target) : settle(asking, target, outcome, sentMs);
}

function send(asking: Asking, target: Target): Promise<Outcome> {
  asking.attempts += 1;
  asking.target = target;
  if (asking.outgoing.repeatable) {
    asking.tried ??= new Set();
    asking.tried.add(target.taskId);
  }
  const sent = attempt(asking.plane, asking.outgoing.to(target.origin));
  asking.trace?.follow(target, sent);
  return sent;
}

/** Takes in how an attempt went. */
function settle(asking: Asking, target: Target, outcome: Outcome, sentMs: number): Outcome {
  const { plane, traffic, outgoing } = asking;
  const nowMs = plane.nowMs();
  if (outcome === "failed") {
    // A streaming body that breaks off fails the attempt as well; then the client may be to blame.
    if (outgoing.timed && plane.outliers.failed(target.taskId, nowMs)) plane.suspects.add(target.taskId);
    return outcome;
  }
  asking.target = target;
  if (plane.outliers.any) plane.outliers.answered(target.taskId, nowMs);
  if (outgoing.hedgeable) traffic.latency.answered(nowMs - sentMs, nowMs);
  return outcome;
}

function tooSlow({ plane }: Asking, target: Target): "slow" {
  if (plane.outliers.failed(target.taskId, plane.nowMs())) plane.suspects.add(target.taskId);
  return "slow";
}
