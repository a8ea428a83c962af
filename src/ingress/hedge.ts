// Hedging: what else is tried while a target keeps a request waiting.
//
// A safe request goes to another target each time the last one has had about as long as the service usually takes, within
// budgets. Any other repeatable request goes to another target when the last one has had the time of one try, or is
// frozen. The first response wins, and no attempt is given up before that. A request that must not be sent twice waits;
// but when its target is frozen, its client gets the failure at once and not when the time-out ends.

import { type Attempt, discard, eject, type Outcome, settle, startAttempt, within } from "./attempt.ts";
import { countEjection, countGivenUp, countHedgeWon } from "./counting.ts";
import { type Forwarding, nextTarget } from "./forward.ts";

/** When the hedge budget is used up, another target gets the request after this long, at the cost of the retry budget. */
const lateHedgeMs = 1_000;

/** How often a waiting request checks whether its target is frozen or has had its time, milliseconds. */
export const attemptPollMs = 250;

/** A target's response; or all connections failed, the time is over, or the one target it may go to is frozen. */
export type HedgeResult = Response | "failed" | "slow" | "silent";

/**
 * Waits for an attempt under way and for those that join it.
 *
 * @param endsMs end of the head time-out, epoch milliseconds
 */
export async function hedge(forwarding: Forwarding, first: Attempt, endsMs: number): Promise<HedgeResult> {
  const { incoming, upstream, stats, pool, state } = forwarding;
  const { plane } = incoming;
  const open = [first];
  let nowMs = plane.nowMs();
  let hedgeAtMs = upstream.isHedgeable && pool.ids.length > 1 ? nowMs : Number.POSITIVE_INFINITY;
  while (nowMs < endsMs) {
    if (hasHadItsTime(forwarding, open.at(-1) as Attempt, nowMs)) {
      if (!upstream.isRepeatable) {
        giveUp(forwarding, first, true);
        return "silent";
      }
      if (state.attemptsLeft > 0 && stats.retries.take(nowMs)) join(forwarding, open, nowMs);
    } else if (state.attemptsLeft > 0 && hedgeAtMs <= nowMs) {
      hedgeAtMs = nowMs + joinIfInBudget(forwarding, open, nowMs);
    }
    const nextMs = state.attemptsLeft > 0 && hedgeAtMs > nowMs ? hedgeAtMs : Number.POSITIVE_INFINITY;
    const wakeMs = Math.min(endsMs, nowMs + attemptPollMs, nextMs);
    const ended = await within(firstOf(open), wakeMs - nowMs);
    // A timer that fired says how late it is, whatever the clock says.
    nowMs = Math.max(ended === "slow" ? wakeMs : nowMs, plane.nowMs());
    if (ended === "slow") continue;
    const result = take(forwarding, open, ended);
    if (result !== "failed" || open.length === 0) return result;
  }
  for (const attempt of open) {
    eject(forwarding, attempt.target);
    giveUp(forwarding, attempt, true);
  }
  return "slow";
}

type Ended = { readonly attempt: Attempt; readonly outcome: Outcome };

/** The attempt that ends first, well or not. */
function firstOf(open: readonly Attempt[]): Promise<Ended> {
  return Promise.race(open.map((attempt) => attempt.outcome.then((outcome) => ({ attempt, outcome }))));
}

/** Settles an attempt that ended, and gives up the others if it brought a response. */
function take(forwarding: Forwarding, open: Attempt[], { attempt, outcome }: Ended): Outcome {
  const index = open.indexOf(attempt);
  open.splice(index, 1);
  const result = settle(forwarding, attempt, outcome);
  if (result === "failed") return result;
  for (const [at, loser] of open.entries()) lose(forwarding, loser, at < index);
  if (attempt.isHedge && forwarding.countedAt !== null) countHedgeWon(forwarding.countedAt, attempt.target);
  return result;
}

/** Whether the last target has had the time of one try, or is frozen. It is then ejected. */
function hasHadItsTime(forwarding: Forwarding, { target, sentMs }: Attempt, nowMs: number): boolean {
  const { incoming, upstream, stats } = forwarding;
  const { tryTimeoutMs, frozenMs, frozen } = incoming.plane;
  const isOver = upstream.isRepeatable && tryTimeoutMs !== null && nowMs - sentMs >= tryTimeoutMs;
  const isFrozen =
    frozenMs !== null &&
    frozen.hasAny &&
    frozen.isFrozen(target.taskId, sentMs, nowMs, frozenMs, stats.latency.percentile(0.99));
  if (isOver || isFrozen) eject(forwarding, target);
  return isOver || isFrozen;
}

/** Sends the request to another target if a budget allows it. @returns milliseconds until the next may join */
function joinIfInBudget(forwarding: Forwarding, open: Attempt[], nowMs: number): number {
  const { hedges, retries, latency } = forwarding.stats;
  const isLate = nowMs - (open[0]?.sentMs ?? nowMs) >= lateHedgeMs;
  if (!hedges.take(nowMs) && !(isLate && retries.take(nowMs))) return lateHedgeMs;
  return join(forwarding, open, nowMs) ? latency.hedgeAfterMs : Number.POSITIVE_INFINITY;
}

/** Sends the request to the next target; false when it went to every one. */
function join(forwarding: Forwarding, open: Attempt[], nowMs: number): boolean {
  const target = nextTarget(forwarding);
  if (target === null) forwarding.state.attemptsLeft = 0;
  else open.push(startAttempt(forwarding, target, "hedge", nowMs));
  return target !== null;
}

/** Another target responded first. If this one got the request earlier, it is slow, and perhaps frozen. */
function lose(forwarding: Forwarding, loser: Attempt, wasEarlier: boolean): void {
  const { incoming, countedAt } = forwarding;
  const { plane, waitUntil } = incoming;
  const { taskId } = loser.target;
  const nowMs = plane.nowMs();
  const ended = discard(loser);
  giveUp(forwarding, loser, false);
  if (!wasEarlier) return;
  if (plane.outliers.slow(taskId, nowMs)) {
    plane.suspects.add(taskId);
    if (countedAt !== null) countEjection(countedAt, loser.target);
  }
  if (plane.frozen.watch(taskId, loser.sentMs, nowMs)) {
    waitUntil(ended.then(() => plane.frozen.responded(taskId)));
  }
}

function giveUp({ countedAt }: Forwarding, attempt: Attempt, isTimeout: boolean): void {
  if (countedAt !== null) countGivenUp(countedAt, attempt, isTimeout);
}
