// A task keeps a request waiting: what else is tried meanwhile, and what the request comes to.
//
// A safe request is asked of a further task each time the last one asked has had about as long as the service usually
// takes, within budgets. Any other that may be repeated is asked of a further one when the last has had the time of one
// try, or has fallen silent. Whoever answers first wins; nobody's answer is given up before. A request that may not be
// repeated waits; but if its task has fallen silent, its client hears so now and not at the end.

import { type Outcome, within } from "../proxy/http/dial.ts";
import { type Attempt, type Forwarding, letGo, nextTarget, passOver, send, settle } from "./attempt.ts";
import { countEjection, countGivenUp, countHedgeWon } from "./counting.ts";

/** Where the hedge budget is spent, a further task is asked after this long at the cost of the retry budget. */
const lateHedgeMs = 1_000;

/** How often a waiting request looks whether its task has fallen silent, or had its time, milliseconds. */
export const attemptPollMs = 250;

/** A task's answer; or all connections failed; or time is over; or the one task that may be asked is frozen. */
export type Raced = Response | "failed" | "slow" | "silent";

/**
 * Waits for the attempt under way, and for those that join it.
 *
 * @param endsMs when the time to begin an answer is over
 */
export async function race(asking: Forwarding, first: Attempt, endsMs: number): Promise<Raced> {
  const { plane, outgoing } = asking;
  const waiting = [first];
  let nowMs = plane.nowMs();
  let joinAtMs = outgoing.hedgeable && asking.ring.ids.length > 1 ? nowMs : Number.POSITIVE_INFINITY;
  while (nowMs < endsMs) {
    if (hadItsTime(asking, waiting.at(-1) as Attempt, nowMs)) {
      if (!outgoing.repeatable) {
        giveUp(asking, first, true);
        return "silent";
      }
      if (asking.left > 0 && asking.traffic.retries.take(nowMs)) join(asking, waiting);
    } else if (asking.left > 0 && joinAtMs <= nowMs) {
      joinAtMs = nowMs + hedge(asking, waiting, nowMs);
    }
    const nextMs = asking.left > 0 && joinAtMs > nowMs ? joinAtMs : Number.POSITIVE_INFINITY;
    const wakeMs = Math.min(endsMs, nowMs + attemptPollMs, nextMs);
    const ended = await within(firstOf(waiting), wakeMs - nowMs);
    // A timer that went off says how late it is, whatever the clock says.
    nowMs = Math.max(ended === "slow" ? wakeMs : nowMs, plane.nowMs());
    if (ended === "slow") continue;
    const index = waiting.indexOf(ended.sent);
    waiting.splice(index, 1);
    const outcome = settle(asking, ended.sent, ended.outcome);
    if (outcome !== "failed") {
      for (const [at, loser] of waiting.entries()) lose(asking, loser, at < index);
      if (ended.sent.isHedge && asking.counted !== null) countHedgeWon(asking.counted, ended.sent.target);
      return outcome;
    }
    if (waiting.length === 0) return "failed";
  }
  for (const sent of waiting) {
    passOver(asking, sent.target);
    giveUp(asking, sent, true);
  }
  return "slow";
}

/** The attempt that ends first, well or not. */
function firstOf(
  waiting: readonly Attempt[],
): Promise<{ readonly sent: Attempt; readonly outcome: Outcome }> {
  return Promise.race(waiting.map((sent) => sent.outcome.then((outcome) => ({ sent, outcome }))));
}

/** Whether the task asked last has had the time of one try, or fallen silent. Then requests pass it over. */
function hadItsTime(asking: Forwarding, { target, ms }: Attempt, nowMs: number): boolean {
  const { plane, outgoing, traffic } = asking;
  const { tryTimeoutMs, frozenMs, frozen } = plane;
  const isOver = outgoing.repeatable && tryTimeoutMs !== null && nowMs - ms >= tryTimeoutMs;
  const isSilent =
    frozenMs !== null &&
    frozen.any &&
    frozen.isFrozen(target.taskId, ms, nowMs, frozenMs, traffic.latency.percentile(0.99));
  if (isOver || isSilent) passOver(asking, target);
  return isOver || isSilent;
}

/** Asks a further task if a budget has it. Returns after how many milliseconds the next may be asked. */
function hedge(asking: Forwarding, waiting: Attempt[], nowMs: number): number {
  const { traffic } = asking;
  const isLate = nowMs - (waiting[0]?.ms ?? nowMs) >= lateHedgeMs;
  if (!traffic.hedges.take(nowMs) && !(isLate && traffic.retries.take(nowMs))) return lateHedgeMs;
  return join(asking, waiting) ? traffic.latency.hedgeAfterMs : Number.POSITIVE_INFINITY;
}

/** Asks the task whose turn it is; false when every one was asked. */
function join(asking: Forwarding, waiting: Attempt[]): boolean {
  const target = nextTarget(asking);
  if (target === null) asking.left = 0;
  else waiting.push(send(asking, target, "hedge"));
  return target !== null;
}

/** Another task answered first. One that was asked before that is slow, and may be worse than that. */
function lose(asking: Forwarding, loser: Attempt, wasEarlier: boolean): void {
  const { plane } = asking;
  const { taskId } = loser.target;
  const nowMs = plane.nowMs();
  const ended = letGo(loser);
  giveUp(asking, loser, false);
  if (!wasEarlier) return;
  if (plane.outliers.slow(taskId, nowMs)) {
    plane.suspects.add(taskId);
    if (asking.counted !== null) countEjection(asking.counted, loser.target);
  }
  if (plane.frozen.watch(taskId, loser.ms, nowMs)) {
    asking.waitUntil(ended.then(() => plane.frozen.responded(taskId)));
  }
}

function giveUp({ counted }: Forwarding, { target, turn }: Attempt, isTimeout: boolean): void {
  if (counted !== null) countGivenUp(counted, target, turn, isTimeout);
}
