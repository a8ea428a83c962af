// Hedging: sends a request to further targets while the first has not responded.
//
// A safe request goes to another target when the last one has taken longer than about the service's p95 and
// that target or its gateway is silent, or it is on trial after an ejection, within budgets. Any other repeatable request goes to
// another target when the last one exceeds the per-try timeout or is frozen. The first response wins, and no
// attempt is abandoned before that or the end of the head timeout. A request that is not repeatable waits as
// long as its policy says; it fails at once if its policy has a time for frozen targets and its target is
// frozen.

import type { AttemptPolicy } from "../proxy/limits.ts";
import { minHedgeMs } from "../proxy/resilience/latency.ts";
import { endSilence, isSilent } from "../proxy/resilience/silence.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import {
  type Attempt,
  discard,
  eject,
  isUndelivered,
  type Outcome,
  settle,
  startAttempt,
  within,
} from "./attempt.ts";
import type { ClientBody } from "./client-body.ts";
import { countEjection, countGivenUp, countHedgeWon, renewWaits } from "./counting.ts";
import { type Forwarding, nextTarget } from "./forwarding.ts";
import { type GatewayTarget, isGatewayReady } from "./gateway-attempt.ts";

/** After this wait a hedge may use the retry budget, if the hedge budget is used up. Milliseconds. */
const lateHedgeMs = 1_000;

/** After this wait the gateway of the target is checked, milliseconds. */
const gatewayCheckAfterMs = 1_000;

/** Milliseconds between checks whether the target is frozen or exceeds the per-try timeout. */
export const attemptPollMs = 250;

/**
 * Waits for a slow attempt, and starts further ones beside it.
 *
 * @param endsMs end of the head timeout, epoch milliseconds
 *
 * @see docs/decisions/0010-second-attempts.md
 */
export async function awaitSlow(
  forwarding: Forwarding,
  first: Attempt,
  endsMs: number,
): Promise<Outcome | "frozen" | "timeout"> {
  const { incoming, upstream, policy, stats, pool, state } = forwarding;
  const { plane } = incoming;
  const pending = [first];
  let nowMs = plane.nowMs();
  const canHedge = upstream.isHedgeable && policy.hedge && pool.ids.length > 1;
  let hedgeAtMs = canHedge ? nowMs : Number.POSITIVE_INFINITY;
  for (;;) {
    const waitEndsMs = state.clientBody === null ? endsMs : bodyWaitEndsMs(state.clientBody, policy);
    if (nowMs >= waitEndsMs) break;
    const last = pending.at(-1) as Attempt;
    if (isOverdue(forwarding, last, nowMs)) {
      eject(forwarding, last.target);
      if (!upstream.isRepeatable) {
        giveUp(forwarding, first, true);
        return "frozen";
      }
      if (state.attemptsLeft > 0 && stats.retries.take(nowMs)) startHedge(forwarding, pending, nowMs);
    } else if (state.attemptsLeft > 0 && hedgeAtMs <= nowMs) {
      hedgeAtMs = nowMs + hedgeIfSilent(forwarding, pending, nowMs);
    }
    const nextMs = state.attemptsLeft > 0 && hedgeAtMs > nowMs ? hedgeAtMs : Number.POSITIVE_INFINITY;
    const wakeMs = Math.min(waitEndsMs, nowMs + attemptPollMs, nextMs);
    const ended = await within(firstOf(pending), wakeMs - nowMs);
    // A timer that fired proves that wakeMs has passed, even if the clock lags behind.
    nowMs = Math.max(ended === "timeout" ? wakeMs : nowMs, plane.nowMs());
    renewWaits(forwarding, pending, nowMs);
    if (ended === "timeout") continue;
    const result = settleFirst(forwarding, pending, ended);
    if ((result !== "failed" && !isUndelivered(result)) || pending.length === 0) return result;
  }
  for (const attempt of pending) {
    eject(forwarding, attempt.target);
    giveUp(forwarding, attempt, true);
  }
  return "timeout";
}

/** When a request with a streaming body has waited for its target for too long, epoch milliseconds. */
function bodyWaitEndsMs({ waitsForTargetMs }: ClientBody, { headTimeoutMs }: AttemptPolicy): number {
  return waitsForTargetMs === null ? Number.POSITIVE_INFINITY : waitsForTargetMs + headTimeoutMs;
}

type Ended = { readonly attempt: Attempt; readonly outcome: Outcome };

/** The attempt that ends first, with a response or a failure. */
function firstOf(pending: readonly Attempt[]): Promise<Ended> {
  return Promise.race(pending.map((attempt) => attempt.outcome.then((outcome) => ({ attempt, outcome }))));
}

/** Settles an attempt that ended, and abandons the others if it has a response. */
function settleFirst(forwarding: Forwarding, pending: Attempt[], { attempt, outcome }: Ended): Outcome {
  const index = pending.indexOf(attempt);
  pending.splice(index, 1);
  const result = settle(forwarding, attempt, outcome);
  if (result === "failed" || isUndelivered(result)) return result;
  for (const [position, loser] of pending.entries()) settleLoser(forwarding, loser, position < index);
  if (attempt.isHedge && forwarding.countedAt !== null) countHedgeWon(forwarding.countedAt, attempt.target);
  return result;
}

/** True if an attempt exceeds the per-try timeout or its target is frozen. */
function isOverdue(forwarding: Forwarding, { target, sentMs }: Attempt, nowMs: number): boolean {
  const { incoming, policy, stats, state } = forwarding;
  const { frozenDetector } = incoming.plane;
  if (nowMs - sentMs >= policy.tryTimeoutMs) return true;
  const waitsSinceMs = state.clientBody === null ? sentMs : state.clientBody.waitsForTargetMs;
  const mayBeFrozen = policy.frozenMs < Number.POSITIVE_INFINITY && frozenDetector.hasAny;
  if (!mayBeFrozen || waitsSinceMs === null) return false;
  const p99Ms = stats.latency.percentile(0.99);
  return frozenDetector.isFrozen(target.taskId, waitsSinceMs, nowMs, policy.frozenMs, p99Ms);
}

/**
 * Sends the request to another target if the last one is silent and a budget allows it.
 *
 * @returns milliseconds until the next hedge is due
 */
function hedgeIfSilent(forwarding: Forwarding, pending: Attempt[], nowMs: number): number {
  const { hedges, retries, latency, silences } = forwarding.stats;
  const { target, sentMs } = pending.at(-1) as Attempt;
  const { outliers } = forwarding.incoming.plane;
  const isUnreachable = isBehindSilentGateway(forwarding, target, nowMs - sentMs);
  if (isUnreachable) eject(forwarding, target);
  const isSuspicious =
    isUnreachable ||
    (outliers.hasAny && outliers.isOnTrial(target.taskId)) ||
    isSilent(silences, target.taskId, forwarding.pool.ids, nowMs, latency.hedgeAfterMs);
  if (!isSuspicious) {
    // A timer of whole milliseconds, so that the time that its end proves does not run ahead of the clock.
    return Math.max(minHedgeMs, Math.ceil((nowMs - sentMs) / 4));
  }
  const isLate = nowMs - (pending[0]?.sentMs ?? nowMs) >= lateHedgeMs;
  if (!hedges.take(nowMs) && !(isLate && retries.take(nowMs))) return lateHedgeMs;
  return startHedge(forwarding, pending, nowMs) ? latency.hedgeAfterMs : Number.POSITIVE_INFINITY;
}

/** True if the gateway of a target does not answer. Has it checked if the request waits long. */
function isBehindSilentGateway(
  { incoming: { plane, waitUntil } }: Forwarding,
  target: Target,
  waitedMs: number,
): boolean {
  if (target.gateway === null || waitedMs < gatewayCheckAfterMs) return false;
  const { silentGateways } = plane;
  const nowMs = plane.nowMs();
  if (silentGateways.begin(target.nodeId, nowMs)) {
    const answered = isGatewayReady(plane, target as GatewayTarget).then((isReady) => {
      if (isReady) silentGateways.answered(target.nodeId);
    });
    // A late answer counts too, unless the runtime ends this work first.
    waitUntil(answered);
  }
  return silentGateways.isSilent(target.nodeId, nowMs);
}

/** Sends the request to the next target; false if none is left. */
function startHedge(forwarding: Forwarding, pending: Attempt[], nowMs: number): boolean {
  const target = nextTarget(forwarding);
  if (target === null) forwarding.state.attemptsLeft = 0;
  else pending.push(startAttempt(forwarding, target, "hedge", nowMs));
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
  if (plane.frozenDetector.watch(taskId, loser.sentMs, nowMs)) {
    waitUntil(
      ended.then(() => {
        plane.frozenDetector.responded(taskId);
        endSilence(forwarding.stats.silences, taskId);
      }),
    );
  }
}

function giveUp({ countedAt }: Forwarding, attempt: Attempt, isTimeout: boolean): void {
  if (countedAt !== null) countGivenUp(countedAt, attempt, isTimeout);
}
