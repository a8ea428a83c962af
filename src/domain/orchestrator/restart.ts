// Restart: when, if at all, a task that ended by itself is followed by another in its slot.
//
// Without a delay of the operator's, the first failure is repaired at once and every further one in a row waits longer:
// 0, 1, 2, 4, 8, 16, 30 seconds. A row ends with a task that ran longer than a minute, and with every change of what
// the service runs. How long a task ran is told by the registry's clock alone: agents' clocks may be wrong, and a wrong
// one must not make a hot loop.
//
// The history a slot keeps is shorter than the row may be. But the wait a task was made with tells how many failures
// there had been before it, so that nothing else has to be remembered.

import type { Service } from "../model/service.ts";
import { isAlive, type Task } from "../model/task.ts";
import type { TaskStart } from "./plan-builder.ts";
import { maxCountedAttempts } from "./task-history.ts";

const restartBackoffMs = [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
/** A task that ran longer than this has shown that it can. */
const provenAfterMs = 60_000;

/** True when the task died on its own account, and not because the registry or its agent stopped it. */
export function hasEndedByItself({ state }: Task): boolean {
  return state === "complete" || state === "failed" || state === "rejected";
}

/** True when a dead task has not been followed by another, be it not yet or, by its policy, never. */
export function isWithoutSuccessor(task: Task): boolean {
  return task.desired === "running" && !isAlive(task);
}

/**
 * When the next task of a slot may start.
 *
 * @param tasks the slot's, oldest first
 * @returns null when the restart policy says that none follows
 */
export function nextStart(tasks: readonly Task[], service: Service, nowMs: number): TaskStart | null {
  const atOnce = { notBeforeMs: nowMs, err: "" };
  const last = tasks.findLast(isWithoutSuccessor);
  if (last === undefined || !hasEndedByItself(last) || last.runHash !== service.runHash) return atOnce;
  const { condition, delayMs, maxAttempts } = service.spec.restart;
  if (condition === "none" || (condition === "on-failure" && last.state === "complete")) return null;
  const ended = tasks.filter((task) => hasEndedByItself(task) && task.runHash === service.runHash);
  if (
    maxAttempts > 0 &&
    maxAttempts <= maxCountedAttempts &&
    countAttempts(ended, last, service) > maxAttempts
  )
    return null;
  if (delayMs !== undefined) return delayedStart(nowMs, delayMs, last.err, "");
  const failures = failuresInARow(ended);
  if (failures === 0) return atOnce;
  const wait = restartBackoffMs[Math.min(failures, restartBackoffMs.length) - 1] ?? 0;
  const times =
    failures > restartBackoffMs.length ? `more than ${restartBackoffMs.length}` : String(failures);
  const what = last.state === "complete" ? "exits" : "failures";
  return delayedStart(nowMs, wait, last.err, ` after ${times} ${what}`);
}

/** The reason comes first: what shows a wait shows little of it, and why is what a person can act on. */
function delayedStart(nowMs: number, delayMs: number, reason: string, after: string): TaskStart {
  if (delayMs === 0) return { notBeforeMs: nowMs, err: "" };
  const wait = `restarting in ${delayMs / 1_000} s${after}`;
  return { notBeforeMs: nowMs + delayMs, err: reason === "" ? wait : `${reason}; ${wait}` };
}

/** Ends within the policy's window before the last one, that one included; the first of them was no restart. */
function countAttempts(ended: readonly Task[], last: Task, service: Service): number {
  const { windowMs } = service.spec.restart;
  if (windowMs === 0) return ended.length;
  return ended.filter(({ stateSinceMs }) => stateSinceMs > last.stateSinceMs - windowMs).length;
}

/** How many tasks failed in a row up to now. `ended` are those that ended by themselves, oldest first. */
function failuresInARow(ended: readonly Task[]): number {
  const row = ended.slice(ended.findLastIndex(isProven) + 1).toReversed();
  return row.reduce((failures, task, later) => Math.max(failures, later + 1 + failuresBefore(task)), 0);
}

function isProven({ ranSinceMs, endedAtMs, stateSinceMs }: Task): boolean {
  return ranSinceMs !== undefined && (endedAtMs ?? stateSinceMs) - ranSinceMs > provenAfterMs;
}

/** The failures that led to the wait a task was made with; 0 where it was made without one. */
function failuresBefore({ createdAtMs, notBeforeMs }: Task): number {
  const wait = notBeforeMs - createdAtMs;
  return wait > 0 ? restartBackoffMs.findLastIndex((step) => step <= wait) + 1 : 0;
}
