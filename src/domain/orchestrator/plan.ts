// A plan: what the registry would change about tasks and updates, decided but not yet done.

import type { NewEvent } from "../model/event.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";

/** What to write, when to look again, and what to tell about it. */
export type Plan = {
  /** New or changed tasks, whole values, each at most once. */
  readonly tasks: readonly Task[];
  /** Changed services, whole values, each at most once: an update that got on, or went back. */
  readonly services: readonly Service[];
  /** Ids of tasks to forget; none of them is in `tasks`. */
  readonly removed: readonly string[];
  /** When something becomes due by time alone, epoch milliseconds; null: nothing will. */
  readonly wakeAtMs: number | null;
  readonly events: readonly NewEvent[];
};

/** The world once the plan is done. The world given is left as it was. */
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

/** True when the plan changes nothing; it may still name a moment to look again. */
export function isEmpty(plan: Plan): boolean {
  return plan.tasks.length === 0 && plan.removed.length === 0 && plan.services.length === 0;
}
