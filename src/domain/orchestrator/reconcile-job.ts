// Reconciling a job: a service whose tasks run to their end. Each slot completes once in each iteration of the
// job, and every update of the service begins another iteration.
//
//  - A replicated job has as many slots as completions, and at most `maxConcurrent` of them are active at a
//    time. A global job has one slot on every node that is ready, active and meets its constraints.
//  - A slot is done once a task of it completed, even one that should have stopped because its node was lost.
//    A task that failed is followed by another one if the restart policy says so; `any` means `on-failure`,
//    because a completed task is never run again.
//  - Live tasks of an earlier iteration are removed at once. Dead ones stay as history.
//  - A task whose node drains, is down or no longer meets a constraint is stopped, and its slot gets another
//    one: after the end of the first, unless its node is down.

import { type Constraint, constraintsOf, nodeMatches } from "../model/constraint.ts";
import { canTakeTasks, isNodeDown } from "../model/node.ts";
import { completionsOf, type Service } from "../model/service.ts";
import { isAlive, isWanted, type Task } from "../model/task.ts";
import type { UnplacedTask } from "../scheduler/node-choice.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { replacementReason, replacementTexts } from "./replacement.ts";
import { isWithoutSuccessor, nextStart } from "./restart.ts";
import { freeSlots, nodeSlots, numberedSlots, type Slot } from "./slots.ts";
import { trimHistory } from "./task-history.ts";

/**
 * Brings a job as close to its completions as it can be now.
 *
 * @param tasks the service's tasks
 * @returns its unplaced tasks
 * @see docs/spec.md C60-C69
 */
export function reconcileJob(
  service: Service,
  tasks: readonly Task[],
  plan: PlanBuilder,
): readonly UnplacedTask[] {
  const constraints = constraintsOf(service.spec);
  const slots = jobSlots(service, constraints, tasks, plan).map((slot) => jobSlot(slot, service, plan));
  for (const { current } of slots) {
    const isDone = current.some(({ state }) => state === "complete");
    for (const task of current) {
      if (isDone && isWanted(task)) plan.stop(task, "its slot is completed");
      else stopMisplaced(task, service, constraints, plan);
    }
  }
  let startsLeft =
    maxActive(service) - slots.flatMap(({ current }) => current).filter(isActiveIn(plan)).length;
  const unplaced: UnplacedTask[] = [];
  for (const { slot, current } of slots) {
    const task = liveTask(current, plan) ?? (startsLeft > 0 ? startNext(slot, current, service, plan) : null);
    if (task === null) continue;
    if (!current.some(({ id }) => id === task.id)) startsLeft -= 1;
    if (task.nodeId === null) unplaced.push({ task, service, outgoingNodeId: null });
  }
  return unplaced;
}

/** A slot, and its tasks of the job's current iteration, oldest first. */
type JobSlot = { readonly slot: Slot; readonly current: readonly Task[] };

function jobSlot(slot: Slot, service: Service, plan: PlanBuilder): JobSlot {
  const isCurrent = ({ jobIteration }: Task) => jobIteration === service.job?.iteration;
  for (const task of slot.tasks) {
    if (!isCurrent(task) && isAlive(task)) plan.remove(task, "another iteration of the job began");
  }
  return { slot, current: slot.tasks.filter(isCurrent) };
}

/** The slots of the current iteration. Removes the tasks of slots that it does not have. */
function jobSlots(
  service: Service,
  constraints: readonly Constraint[],
  tasks: readonly Task[],
  plan: PlanBuilder,
): readonly Slot[] {
  const trim = (slot: Slot): Slot => ({
    ...slot,
    tasks: trimHistory(slot.tasks, service.spec.restart, plan),
  });
  const completions = completionsOf(service.spec.mode);
  if (completions !== null) {
    const slots = numberedSlots(tasks).map(trim);
    const surplus = slots.filter(({ number }) => number > completions);
    for (const task of surplus.flatMap((slot) => slot.tasks))
      plan.remove(task, "the job has fewer completions");
    const wanted = slots.filter(({ number }) => number <= completions);
    return [...wanted, ...freeSlots(wanted, completions)].sort((a, b) => a.number - b.number);
  }
  return nodeSlots(tasks, plan.world.nodes)
    .map(trim)
    .filter(({ nodeId, tasks: slotTasks }) => {
      const node = plan.world.nodes.get(nodeId ?? "");
      if (node !== undefined && canTakeTasks(node) && nodeMatches(constraints, node)) return true;
      for (const task of slotTasks) {
        if (node === undefined || task.nodeId === null) plan.delete(task);
        else stopMisplaced(task, service, constraints, plan);
      }
      return false;
    });
}

function maxActive({ spec: { mode } }: Service): number {
  return mode.kind === "replicated-job" ? mode.maxConcurrent : Number.POSITIVE_INFINITY;
}

/** Stops a task that may not stay on its node. */
function stopMisplaced(
  task: Task,
  service: Service,
  constraints: readonly Constraint[],
  plan: PlanBuilder,
): void {
  if (!isWanted(task)) return;
  const node = plan.world.nodes.get(task.nodeId ?? "");
  const reason = replacementReason(task, service, constraints, node);
  if (reason !== null) plan.stop(task, replacementTexts[reason]);
}

/** Accepts tasks that take one of the job's concurrent runs: live ones, except on a node that is down. */
function isActiveIn(plan: PlanBuilder): (task: Task) => boolean {
  return (task) => {
    const latest = plan.latest(task);
    const node = plan.world.nodes.get(task.nodeId ?? "");
    const isLost = task.nodeId !== null && (node === undefined || isNodeDown(node));
    return latest !== undefined && isAlive(latest) && !isLost;
  };
}

/** The slot's task that runs or may run; the first of several. */
function liveTask(current: readonly Task[], plan: PlanBuilder): Task | null {
  return (
    current.map((task) => plan.latest(task)).find((task) => task !== undefined && isWanted(task)) ?? null
  );
}

/** Creates the slot's next task; null if it completed, is still stopping, or may not be restarted. */
function startNext(slot: Slot, current: readonly Task[], service: Service, plan: PlanBuilder): Task | null {
  if (current.some(({ state }) => state === "complete") || current.some(isActiveIn(plan))) return null;
  const start = nextStart(current, service, plan.nowMs);
  if (start === null) return null;
  const ended = current.filter(isWithoutSuccessor);
  const why = ended.length === 0 ? "its slot is empty" : "replaces a task: it failed";
  const next = plan.create(service, slot, start, why);
  for (const task of ended) plan.change(task, { desired: "shutdown" });
  return next;
}
