// Restarts: whether and when a task that ended by itself gets a successor in its slot.
//
// Without a delay in the restart policy, the first failure is repaired at once and each further one in a row
// waits longer: 0, 1, 2, 4, 8, 16, 30 seconds. A streak of failures ends with a task that ran longer than a
// minute, and with every change of the service's spec that replaces tasks. How long a task ran is measured by
// the registry's clock alone: an agent's clock may be wrong, and that must not cause a restart loop without
// delay.
//
// The history of a slot may be shorter than the streak. The restart delay stored with a task shows how many
// failures preceded it. The streak that the status shows (`FailureStreak`) is stored apart: it also counts with a
// delay in the policy, and ends later, because a task that fails every two minutes is a problem, too.

import type { Service } from "../model/service.ts";
import { type FailureStreak, isAlive, type Task } from "../model/task.ts";
import type { TaskStart } from "./plan-builder.ts";
import { maxCountedAttempts } from "./task-history.ts";

const restartBackoffMs = [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
/** A task that ran longer than this is restarted as after a first failure. */
const stableAfterMs = 60_000;
/** A task that ran longer than this is no part of a restart loop. */
export const loopEndsAfterMs = 300_000;

/** True if the task ended by itself: neither the registry nor its agent stopped it. */
export function hasEndedByItself({ state }: Task): boolean {
  return state === "complete" || state === "failed" || state === "rejected";
}

/** True for a dead task whose successor is not created yet, or not allowed by the restart policy. */
export function isWithoutSuccessor(task: Task): boolean {
  return task.desired === "running" && !isAlive(task);
}

/**
 * When the next task of a slot may start.
 *
 * @param tasks the slot's tasks, oldest first
 * @returns null if the restart policy allows no successor
 */
export function nextStart(tasks: readonly Task[], service: Service, nowMs: number): TaskStart | null {
  const atOnce = { notBeforeMs: nowMs, err: "" };
  const last = tasks.findLast(isWithoutSuccessor);
  if (last === undefined || !hasEndedByItself(last) || last.runHash !== service.runHash) return atOnce;
  const ended = tasks.filter((task) => hasEndedByItself(task) && task.runHash === service.runHash);
  if (!mayRestart(ended, last, service)) return null;
  const streak = last.state === "complete" ? {} : { failures: failureStreak(last) };
  const { delayMs } = service.spec.restart;
  if (delayMs !== undefined) return { ...delayedStart(nowMs, delayMs, last.err, ""), ...streak };
  const failures = failuresInARow(ended);
  if (failures === 0) return { ...atOnce, ...streak };
  const backoffMs = restartBackoffMs[Math.min(failures, restartBackoffMs.length) - 1] ?? 0;
  const count =
    failures > restartBackoffMs.length ? `more than ${restartBackoffMs.length}` : String(failures);
  const noun = last.state === "complete" ? "exits" : "failures";
  return { ...delayedStart(nowMs, backoffMs, last.err, ` after ${count} ${noun}`), ...streak };
}

/** The streak that ends with a failed task. A task that completes ends its streak. */
export function failureStreak(failed: Task): FailureStreak {
  const endedMs = failed.endedAtMs ?? failed.stateSinceMs;
  const before = ranMs(failed) > loopEndsAfterMs ? undefined : failed.failures;
  return { count: (before?.count ?? 0) + 1, sinceMs: before?.sinceMs ?? endedMs };
}

/** Applies the policy's condition and `max-attempts`. */
function mayRestart(ended: readonly Task[], last: Task, service: Service): boolean {
  const { condition, maxAttempts } = service.spec.restart;
  if (condition === "none" || (condition === "on-failure" && last.state === "complete")) return false;
  const isLimited = maxAttempts > 0 && maxAttempts <= maxCountedAttempts;
  return !isLimited || countAttempts(ended, last, service) <= maxAttempts;
}

/**
 * The error comes before the delay, because narrow columns cut off the end, and the error is the useful part.
 */
function delayedStart(nowMs: number, delayMs: number, error: string, suffix: string): TaskStart {
  if (delayMs === 0) return { notBeforeMs: nowMs, err: "" };
  const text = `restarting in ${delayMs / 1_000} s${suffix}`;
  return { notBeforeMs: nowMs + delayMs, err: error === "" ? text : `${error}; ${text}` };
}

/**
 * Tasks that ended within the policy's window before the last one, including it; the first was not a
 * restart.
 */
function countAttempts(ended: readonly Task[], last: Task, service: Service): number {
  const { windowMs } = service.spec.restart;
  if (windowMs === 0) return ended.length;
  return ended.filter(({ stateSinceMs }) => stateSinceMs > last.stateSinceMs - windowMs).length;
}

/** How many tasks failed in a row, up to the last one. `ended` are oldest first. */
function failuresInARow(ended: readonly Task[]): number {
  const row = ended.slice(ended.findLastIndex(wasStable) + 1).toReversed();
  return row.reduce((failures, task, later) => Math.max(failures, later + 1 + failuresBefore(task)), 0);
}

function wasStable(ended: Task): boolean {
  return ranMs(ended) > stableAfterMs;
}

/** How long an ended task ran. */
function ranMs({ ranSinceMs, endedAtMs, stateSinceMs }: Task): number {
  return ranSinceMs === undefined ? 0 : (endedAtMs ?? stateSinceMs) - ranSinceMs;
}

/** The failures that led to the delay a task was created with; 0 if it had none. */
function failuresBefore({ createdAtMs, notBeforeMs }: Task): number {
  const delayMs = notBeforeMs - createdAtMs;
  return delayMs > 0 ? restartBackoffMs.findLastIndex((stepMs) => stepMs <= delayMs) + 1 : 0;
}
