// How far an update is in one slot: not started, between the old spec and the new one, or done.
//
// Everything is read from the slot's tasks: the outcome of an update in a slot is that of the first task it
// created there. Nothing depends on whether a task has been placed yet, so that two calls on the same world
// agree, and how long a task ran is measured by the registry's clock alone.

import { isNodeDown } from "../model/node.ts";
import type { Service, UpdateProgress } from "../model/service.ts";
import { type HealthReport, isAlive, type Task, taskStates } from "../model/task.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { hasEndedByItself, isWithoutSuccessor, nextStart } from "./restart.ts";
import type { SlotView } from "./slot-view.ts";

/** True if reconciling this slot would start its update, which counts against the update's parallelism. */
export function wouldStartUpdate({ slot, keeper, outgoing }: SlotView, service: Service): boolean {
  const isStarted = slot.tasks.some(
    (task) => isWithoutSuccessor(task) && hasEndedWithCurrentSpec(task, service),
  );
  return keeper === null && outgoing?.reason === "update" && !isStarted;
}

/** True while a slot has a task of an older spec and no running task of the current one. */
export function hasOutdatedTask({ keeper, outgoing, othersToReplace }: SlotView): boolean {
  if (keeper?.state === "running") return false;
  return outgoing?.reason === "update" || othersToReplace.some(({ reason }) => reason === "update");
}

/** True if the slot stays empty because of the restart policy. */
export function isLeftEmpty({ slot, keeper }: SlotView, service: Service, nowMs: number): boolean {
  return keeper === null && nextStart(slot.tasks, service, nowMs) === null;
}

/** True while a slot has left the old spec and not arrived at the new one. */
export function isInTransition(view: SlotView, service: Service, plan: PlanBuilder): boolean {
  const { slot, keeper, outgoing } = view;
  if (keeper?.state === "running") return isUnhealthy(keeper);
  if (wouldStartUpdate(view, service)) return false;
  if (service.update && updatedAtMs(slot.tasks, service, service.update) !== null) return false;
  if (outgoing?.reason === "update") return true;
  const last = slot.tasks.findLast(isWithoutSuccessor);
  if (isLeftEmpty(view, service, plan.nowMs)) return last?.state !== "complete";
  return (
    slot.tasks.some((task) => hasEndedWithCurrentSpec(task, service)) ||
    hasStoppedOldTask(slot.tasks, service, plan)
  );
}

/** True if the update has nothing left to do in a slot: a task of the new spec runs, or one was tried. */
export function isUpdateDone(view: SlotView, service: Service, nowMs: number): boolean {
  const { slot, keeper } = view;
  if (keeper?.state === "running") return true;
  if (wouldStartUpdate(view, service)) return false;
  if (service.update && updatedAtMs(slot.tasks, service, service.update) !== null) return true;
  return isLeftEmpty(view, service, nowMs);
}

/**
 * When the update's task in a slot began to run or ended without running; null if it is still starting or does
 * not exist.
 */
export function updatedAtMs(tasks: readonly Task[], service: Service, update: UpdateProgress): number | null {
  const task = firstUpdatedTask(tasks, service, update);
  if (task === null) return null;
  return ranSinceMs(task) ?? (isAlive(task) ? null : endedAtMs(task));
}

/**
 * The first task the update created in a slot; later ones are restarts and say nothing about the update. A
 * task that was stopped before it ran, because its node was lost, does not count.
 */
export function firstUpdatedTask(
  tasks: readonly Task[],
  service: Service,
  { sinceMs }: UpdateProgress,
): Task | null {
  const counts = (task: Task) =>
    ranSinceMs(task) !== null || hasEndedByItself(task) || (task.desired === "running" && isAlive(task));
  const isOfUpdate = (task: Task) =>
    task.runHash === service.runHash &&
    task.createdAtMs >= sinceMs &&
    (isAlive(task) || endedAtMs(task) > sinceMs);
  return tasks.find((task) => isOfUpdate(task) && counts(task)) ?? null;
}

/**
 * True if a task ended by itself before it ever ran, or ended or became unhealthy within `monitorMs` of its
 * start.
 */
export function hasFailedInUpdate(task: Task, monitorMs: number): boolean {
  if (isUnhealthy(task)) return task.health.sinceMs - task.stateSinceMs <= monitorMs;
  if (!hasEndedByItself(task)) return false;
  const startedAtMs = ranSinceMs(task);
  return startedAtMs === null || endedAtMs(task) - startedAtMs <= monitorMs;
}

/** True for a running task whose checks fail. */
export function isUnhealthy(task: Task): task is Task & { readonly health: HealthReport } {
  return task.state === "running" && task.health?.verdict === "unhealthy";
}

/** When a task began to run, by the registry's clock; null if it never did. */
export function ranSinceMs(task: Task): number | null {
  return task.ranSinceMs ?? (task.state === "running" ? task.stateSinceMs : null);
}

function endedAtMs(task: Task): number {
  return task.endedAtMs ?? task.stateSinceMs;
}

function hasEndedWithCurrentSpec(task: Task, service: Service): boolean {
  return hasEndedByItself(task) && task.runHash === service.runHash;
}

/**
 * True if an update stopped the slot's task of the old spec: one is still stopping, or the last one was
 * stopped. A slot without an old task, or whose old task was lost with its node, does not hold up the update:
 * no node may fit it for a long time.
 */
function hasStoppedOldTask(tasks: readonly Task[], service: Service, plan: PlanBuilder): boolean {
  const old = tasks.filter(
    ({ runHash, state }) => runHash !== service.runHash && taskStates[state] >= taskStates.assigned,
  );
  const isStopping = (task: Task) => {
    const node = plan.world.nodes.get(task.nodeId ?? "");
    return isAlive(task) && node !== undefined && !isNodeDown(node);
  };
  const last = old.at(-1);
  return old.some(isStopping) || (last !== undefined && !isAlive(last) && last.state !== "orphaned");
}
