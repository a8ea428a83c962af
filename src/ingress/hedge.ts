// Hedging: sends a request to further targets while the first has not responded.
//
// A safe request goes to another target each time the last one has taken longer than about the service's p95,
// within budgets. Any other repeatable request goes to another target when the last one exceeds the per-try
// timeout or is frozen. The first response wins, and no attempt is abandoned before that. A request that is
// not repeatable waits; if its target is frozen, it fails at once instead of at the end of the head timeout.

import { type Attempt, discard, eject, type Outcome, settle, startAttempt, within } from "./attempt.ts";
import { countEjection, countGivenUp, countHedgeWon } from "./counting.ts";
import { type Forwarding, nextTarget } from "./forward.ts";

/** Milliseconds until another target gets the request from the retry budget, without a hedge budget. */
const lateHedgeMs = 1_000;

/** Milliseconds between checks whether the target is frozen or exceeds the per-try timeout. */
export const attemptPollMs = 250;

/** A target's response, or: all attempts failed, the head timeout ended, or the only target is frozen. */
export type HedgeResult = Response | "failed" | "timeout" | "frozen";

/**
 * Waits for a first attempt and starts hedges beside it.
 *
 * @param endsMs end of the head timeout, epoch milliseconds
 */
export async function hedge(forwarding: Forwarding, first: Attempt, endsMs: number): Promise<HedgeResult> {
  const { incoming, upstream, stats, pool, state } = forwarding;
  const { plane } = incoming;
  const open = [first];
  let nowMs = plane.nowMs();
  let hedgeAtMs = upstream.isHedgeable && pool.ids.length > 1 ? nowMs : Number.POSITIVE_INFINITY;
  while (nowMs < endsMs) {
    if (isOverdue(forwarding, open.at(-1) as Attempt, nowMs)) {
      if (!upstream.isRepeatable) {
        giveUp(forwarding, first, true);
        return "frozen";
      }
      if (state.attemptsLeft > 0 && stats.retries.take(nowMs)) startHedge(forwarding, open, nowMs);
    } else if (state.attemptsLeft > 0 && hedgeAtMs <= nowMs) {
      hedgeAtMs = nowMs + hedgeIfInBudget(forwarding, open, nowMs);
    }
    const nextMs = state.attemptsLeft > 0 && hedgeAtMs > nowMs ? hedgeAtMs : Number.POSITIVE_INFINITY;
    const wakeMs = Math.min(endsMs, nowMs + attemptPollMs, nextMs);
    const ended = await within(firstOf(open), wakeMs - nowMs);
    // A timer that fired proves that wakeMs has passed, even if the clock lags behind.
    nowMs = Math.max(ended === "timeout" ? wakeMs : nowMs, plane.nowMs());
    if (ended === "timeout") continue;
    const result = settleFirst(forwarding, open, ended);
    if (result !== "failed" || open.length === 0) return result;
  }
  for (const attempt of open) {
    eject(forwarding, attempt.target);
    giveUp(forwarding, attempt, true);
  }
  return "timeout";
}

type Ended = { readonly attempt: Attempt; readonly outcome: Outcome };

/** The attempt that ends first, with a response or a failure. */
function firstOf(open: readonly Attempt[]): Promise<Ended> {
  return Promise.race(open.map((attempt) => attempt.outcome.then((outcome) => ({ attempt, outcome }))));
}

/** Settles an attempt that ended, and abandons the others if it has a response. */
function settleFirst(forwarding: Forwarding, open: Attempt[], { attempt, outcome }: Ended): Outcome {
  const index = open.indexOf(attempt);
  open.splice(index, 1);
  const result = settle(forwarding, attempt, outcome);
  if (result === "failed") return result;
  for (const [position, loser] of open.entries()) settleLoser(forwarding, loser, position < index);
  if (attempt.isHedge && forwarding.countedAt !== null) countHedgeWon(forwarding.countedAt, attempt.target);
  return result;
}

/** True if the last target exceeds the per-try timeout or is frozen. Ejects it if so. */
function isOverdue(forwarding: Forwarding, { target, sentMs }: Attempt, nowMs: number): boolean {
  const { incoming, upstream, stats } = forwarding;
  const { tryTimeoutMs, frozenMs, frozen } = incoming.plane;
  const isTimedOut = upstream.isRepeatable && tryTimeoutMs !== null && nowMs - sentMs >= tryTimeoutMs;
  const isFrozen =
    frozenMs !== null &&
    frozen.hasAny &&
    frozen.isFrozen(target.taskId, sentMs, nowMs, frozenMs, stats.latency.percentile(0.99));
  if (isTimedOut || isFrozen) eject(forwarding, target);
  return isTimedOut || isFrozen;
}

/**
 * Sends the request to another target if a budget allows it.
 *
 * @returns milliseconds until the next hedge is due
 */
function hedgeIfInBudget(forwarding: Forwarding, open: Attempt[], nowMs: number): number {
  const { hedges, retries, latency } = forwarding.stats;
  const isLate = nowMs - (open[0]?.sentMs ?? nowMs) >= lateHedgeMs;
  if (!hedges.take(nowMs) && !(isLate && retries.take(nowMs))) return lateHedgeMs;
  return startHedge(forwarding, open, nowMs) ? latency.hedgeAfterMs : Number.POSITIVE_INFINITY;
}

/** Sends the request to the next target; false if none is left. */
function startHedge(forwarding: Forwarding, open: Attempt[], nowMs: number): boolean {
  const target = nextTarget(forwarding);
  if (target === null) forwarding.state.attemptsLeft = 0;
  else open.push(startAttempt(forwarding, target, "hedge", nowMs));
  return target !== null;
}

/** Another target responded first. If this one got the request earlier, it is slow, and perhaps frozen. */
function settleLoser(forwarding: Forwarding, loser: Attempt, wasEarlier: boolean): void {
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
