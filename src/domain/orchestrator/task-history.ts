// History: the dead tasks a slot remembers.

import type { RestartPolicy } from "../model/service.ts";
import { isAlive, type Task } from "../model/task.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** Dead tasks kept for each slot, the newest: with the live one the five of Swarm's task history limit. */
const historyLimit = 4;
/** Restart attempts are counted in the history, so it reaches back as far as they do, within reason. */
export const maxCountedAttempts = 100;

/** Forgets the oldest dead tasks of a slot beyond what is kept; returns the others. `tasks` are oldest first. */
export function trimHistory(
  tasks: readonly Task[],
  policy: RestartPolicy,
  changes: PlanBuilder,
): readonly Task[] {
  if (tasks.length <= historyLimit) return tasks;
  const counted = policy.maxAttempts <= maxCountedAttempts ? policy.maxAttempts + 1 : 0;
  const dead = tasks.filter((task) => !isAlive(task));
  const excess = new Set(dead.slice(0, -Math.max(historyLimit, counted)));
  for (const task of excess) changes.delete(task);
  return tasks.filter((task) => !excess.has(task));
}
