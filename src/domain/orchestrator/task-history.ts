// The task history: how many dead tasks each slot keeps.

import type { RestartPolicy } from "../model/service.ts";
import { isAlive, type Task } from "../model/task.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** Dead tasks kept per slot. Together with the live task: five, Swarm's default task history limit. */
const historyLimit = 4;
/** Largest `max-attempts` that is enforced; attempts are counted in the history. */
export const maxCountedAttempts = 100;

/** Deletes a slot's oldest dead tasks beyond the limit; returns the rest. `tasks` are oldest first. */
export function trimHistory(
  tasks: readonly Task[],
  policy: RestartPolicy,
  plan: PlanBuilder,
): readonly Task[] {
  if (tasks.length <= historyLimit) return tasks;
  const counted = policy.maxAttempts <= maxCountedAttempts ? policy.maxAttempts + 1 : 0;
  const dead = tasks.filter((task) => !isAlive(task));
  const excess = new Set(dead.slice(0, -Math.max(historyLimit, counted)));
  for (const task of excess) plan.delete(task);
  return tasks.filter((task) => !excess.has(task));
}
