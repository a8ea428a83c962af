// The plan: the changes to tasks and services that reconciling decided on and the registry has yet to save.

import type { NewEvent } from "../model/event.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";

export type Plan = {
  /** New and changed tasks, each whole and at most once. */
  readonly tasks: readonly Task[];
  /** Services whose update progressed or was rolled back, each whole and at most once. */
  readonly services: readonly Service[];
  /** Ids of tasks to delete; none of them is in `tasks`. */
  readonly removed: readonly string[];
  /** By service, when reconciling it again may change something by time alone, epoch milliseconds. */
  readonly wakes: ReadonlyMap<string, number>;
  readonly events: readonly NewEvent[];
};

/** The world with the plan applied. Does not change the world passed in. */
export function applyPlan(world: World, plan: Plan): World {
  if (isEmpty(plan)) return world;
  const tasks = new Map(world.tasks);
  for (const id of plan.removed) tasks.delete(id);
  for (const task of plan.tasks) tasks.set(task.id, task);
  if (plan.services.length === 0) return { ...world, tasks };
  const services = new Map(world.services);
  for (const service of plan.services) services.set(service.id, service);
  return { ...world, tasks, services };
}

/** True if the plan changes nothing; it may still ask to be woken. */
export function isEmpty(plan: Plan): boolean {
  return plan.tasks.length === 0 && plan.removed.length === 0 && plan.services.length === 0;
}
