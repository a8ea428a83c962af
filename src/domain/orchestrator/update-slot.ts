// How far an update is in one slot: not started, between the old spec and the new one, or done.
//
// Everything is read from the slot's tasks: the outcome of an update in a slot is that of the first task it
// created there and did not have to stop. Nothing depends on whether a task has been placed yet, so that two calls on the same world
// agree, and how long a task ran is measured by the registry's clock alone.

import { isNodeDown } from "../model/node.ts";
import type { Service, UpdateProgress } from "../model/service.ts";
import { type HealthReport, isAlive, isWanted, type Task, taskStates } from "../model/task.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { hasEndedByItself, isWithoutSuccessor, nextStart } from "./restart.ts";
import type { SlotView } from "./slot-view.ts";

/** True if reconciling this slot would start its update, which counts against the update's parallelism. */
export function wouldStartUpdate({ slot, keeper, outgoing }: SlotView, service: Service): boolean {
  if (keeper !== null || outgoing?.reason !== "update") return false;
  const isToRestart = (task: Task) => isWithoutSuccessor(task) && hasEndedWithCurrentSpec(task, service);
  return !slot.tasks.some(isToRestart) && !hasEndedInUpdate(slot.tasks, service);
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
  if (wouldStartUpdate(view, service) || isTried(view, service)) return false;
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
  if (view.keeper?.state === "running") return true;
  if (wouldStartUpdate(view, service)) return false;
  return isTried(view, service) || isLeftEmpty(view, service, nowMs);
}

/**
 * True if a task of the update ran or ended by itself in a slot. While a task of an older spec runs, only one
 * that ended by itself counts: one that was stopped because its node was lost says nothing.
 */
function isTried({ slot, outgoing }: SlotView, service: Service): boolean {
  const { update } = service;
  if (!update) return false;
  const isOldRunning = outgoing !== null && outgoing.task.runHash !== service.runHash;
  if (isOldRunning) return hasEndedInUpdate(slot.tasks, service);
  return updatedAtMs(slot.tasks, service, update) !== null;
}

/** True if a task of the update ran in a slot, and none of them ended by itself. */
export function hasRunInUpdate({ slot }: SlotView, service: Service): boolean {
  const { update } = service;
  if (!update || hasEndedInUpdate(slot.tasks, service)) return false;
  return updatedAtMs(slot.tasks, service, update) !== null;
}

/** True if a task that the update created in a slot ended by itself. */
function hasEndedInUpdate(tasks: readonly Task[], service: Service): boolean {
  const { update } = service;
  return update ? tasks.some((task) => hasEndedByItself(task) && isOfUpdate(task, service, update)) : false;
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

/** The first task of the update in a slot that ran, may still run, or ended by itself. */
function firstUpdatedTask(tasks: readonly Task[], service: Service, update: UpdateProgress): Task | null {
  const counts = (task: Task) => ranSinceMs(task) !== null || hasEndedByItself(task) || isWanted(task);
  return tasks.find((task) => isOfUpdate(task, service, update) && counts(task)) ?? null;
}

/**
 * The task that decides whether the update failed in a slot: the first one that ended by itself, else one that
 * is unhealthy; null while neither exists. Tasks after one that ended are restarts. A stopped one was lost
 * with its node or superseded, and says nothing about its spec. A task whose node is lost keeps its desired
 * state until its replacement runs, so that a failed replacement counts although an earlier task may still run.
 */
export function decisiveTask(tasks: readonly Task[], service: Service, update: UpdateProgress): Task | null {
  const own = tasks.filter((task) => isOfUpdate(task, service, update));
  const isSick = (task: Task) => isWanted(task) && isUnhealthy(task);
  return own.find(hasEndedByItself) ?? own.find(isSick) ?? null;
}

/** True if an update, and not an earlier one to the same spec, created a task. */
function isOfUpdate(task: Task, service: Service, { sinceMs }: UpdateProgress): boolean {
  if (task.runHash !== service.runHash || task.createdAtMs < sinceMs) return false;
  return isAlive(task) || endedAtMs(task) > sinceMs;
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

/** True if a task of the service's current spec ended by itself. */
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
