// Updates and rollbacks: move a service's slots to its current spec a few at a time. Each new task is
// monitored, and a failure pauses the update or rolls it back. A rollback is an update to the previous spec
// with a policy of its own.
//
// A service stores only that an update is in progress, since when, and how many slots it had to move. The
// rest is read from the slots on every call (update-slot.ts).

import { MeshError } from "../model/error.ts";
import { allocatePorts } from "../model/ports.ts";
import { nextRunHash } from "../model/run-hash.ts";
import type { Service, UpdateProgress } from "../model/service.ts";
import { recordedChanges } from "../model/spec-changes.ts";
import type { Task } from "../model/task.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import type { SlotView } from "./slot-view.ts";
import { nodeSlots, numberedSlots } from "./slots.ts";
import { isOnTrial, type Trial } from "./trial.ts";
import { minMonitorMs, updatePolicyOf } from "./update-policy.ts";
import {
  decisiveTask,
  hasFailedInUpdate,
  hasOutdatedTask,
  isInTransition,
  isLeftEmpty,
  isUpdateDone,
  updatedAtMs,
  wouldStartUpdate,
} from "./update-slot.ts";

/** The progress of an update or rollback that starts now. */
export function beginUpdate(state: "updating" | "rollback_started", nowMs: number): UpdateProgress {
  const message = state === "updating" ? "update in progress" : "manually requested rollback";
  return { state, message, startedAtMs: nowMs, completedAtMs: null, sinceMs: nowMs, slots: 0 };
}

/** True while slots are being moved: neither paused nor completed. */
export function isUpdating({ update }: Service): boolean {
  return update?.state === "updating" || update?.state === "rollback_started";
}

/**
 * Pauses an update or rolls it back if more of its slots failed than its policy allows.
 *
 * @param tasks the service's tasks
 * @returns the service as it is from here on; after a rollback with its previous spec
 */
export function evaluateUpdate(service: Service, tasks: readonly Task[], plan: PlanBuilder): Service {
  const { update } = service;
  if (!update || !isUpdating(service)) return service;
  const { monitorMs, maxFailureRatio, failureAction } = updatePolicyOf(service);
  const isGlobal = service.spec.mode.kind === "global";
  const slots = isGlobal ? nodeSlots(tasks, plan.world.nodes) : numberedSlots(tasks);
  const failed = slots
    .flatMap((slot) => decisiveTask(slot.tasks, service, update) ?? [])
    .filter((task) => hasFailedInUpdate(task, monitorMs));
  const [first] = failed;
  if (first === undefined || failureAction === "continue") return service;
  if (failed.length / Math.max(1, update.slots) <= maxFailureRatio) return service;
  const failedTask = first.id;
  const why = `due to failure or early termination of task ${failedTask}`;
  if (update.state === "rollback_started") {
    return setProgress(
      service,
      { state: "rollback_paused", message: `rollback paused ${why}`, failedTask },
      plan,
    );
  }
  if (failureAction === "rollback") return rollBack(service, why, failedTask, plan);
  return setProgress(service, { state: "paused", message: `update paused ${why}`, failedTask }, plan);
}

/**
 * Records that an update starts, if a slot has to be moved and none is in progress.
 *
 * @returns the service as it is from here on
 */
export function beginIfNeeded(service: Service, views: readonly SlotView[], plan: PlanBuilder): Service {
  const { update } = service;
  if (update && update.completedAtMs === null) return service;
  // After a completed update, a slot in which it failed is restarted by the restart policy. Only a slot it
  // never reached, such as one of a node that was down, starts a new update.
  const needsUpdate = update
    ? (view: SlotView) => wouldStartUpdate(view, service)
    : (view: SlotView) => hasOutdatedTask(view) && !isLeftEmpty(view, service, plan.nowMs);
  if (!views.some(needsUpdate)) return service;
  return setProgress(service, beginUpdate("updating", plan.nowMs), plan);
}

/**
 * Records the progress of an update: how many slots it moves, that it is completed.
 *
 * @returns how many more slots may start their update now: the parallelism (0: all) less the slots in
 *   transition, those on trial and those that were updated less than the delay ago; 0 while the update is
 *   paused
 */
export function advanceUpdate(
  views: readonly SlotView[],
  trial: Trial,
  service: Service,
  plan: PlanBuilder,
): number {
  const { update } = service;
  if (!update || !isUpdating(service)) return 0;
  const { parallelism, delayMs, monitorMs } = updatePolicyOf(service);
  const updates = views.map((view) => ({
    view,
    atMs: updatedAtMs(view.slot.tasks, service, update),
    isInTransition: isInTransition(view, service, plan),
  }));
  const waiting = views.filter((view) => wouldStartUpdate(view, service)).length;
  const inTransition = updates.filter((slot) => slot.isInTransition).length;
  const slots = Math.max(update.slots, waiting + inTransition);
  const counted = slots === update.slots ? service : setProgress(service, { slots }, plan);
  if (views.every((view) => isUpdateDone(view, service, plan.nowMs))) {
    const monitoredUntilMs = updates.flatMap(({ atMs }) => (atMs === null ? [] : [atMs + monitorMs]));
    completeUpdate(counted, Math.max(update.sinceMs + minMonitorMs, ...monitoredUntilMs), plan);
  }
  if (parallelism === 0) return Number.POSITIVE_INFINITY;
  const isHeld = ({ view, atMs, isInTransition: isMoving }: (typeof updates)[number]) => {
    const isDelayed = atMs !== null && atMs + delayMs > plan.nowMs;
    if (isDelayed && waiting > 0) plan.wakeAt(atMs + delayMs, service.id);
    return isMoving || isDelayed || isOnTrial(view, trial, service);
  };
  return parallelism - updates.filter(isHeld).length;
}

function completeUpdate(service: Service, atMs: number, plan: PlanBuilder): void {
  if (plan.nowMs < atMs) {
    plan.wakeAt(atMs, service.id);
    return;
  }
  const isRollback = service.update?.state === "rollback_started";
  const state = isRollback ? "rollback_completed" : "completed";
  const message = isRollback ? "rollback completed" : "update completed";
  setProgress(service, { state, message, completedAtMs: plan.nowMs }, plan);
}

/** Restores a service's previous spec. Pauses the update instead if that is not possible. */
function rollBack(service: Service, why: string, failedTask: string, plan: PlanBuilder): Service {
  const { previous } = service;
  const pause = (reason: string) =>
    setProgress(service, { state: "paused", message: `update paused ${why}; ${reason}`, failedTask }, plan);
  if (previous === null) return pause("there is no previous spec to roll back to");
  const others = [...plan.world.services.values()].filter(({ id }) => id !== service.id);
  try {
    const { sealedAuth: _, ...unsealed } = service;
    const restored: Service = {
      ...unsealed,
      ...(previous.sealedAuth !== undefined && { sealedAuth: previous.sealedAuth }),
      spec: previous.spec,
      document: previous.document,
      previous: null,
      ports: allocatePorts(previous.spec.ports, service.ports, others),
      runHash: nextRunHash(service, previous.spec, previous.document),
      version: service.version + 1,
      updatedAtMs: plan.nowMs,
    };
    const message = `update rolled back ${why}`;
    const progress = {
      state: "rollback_started",
      message,
      sinceMs: plan.nowMs,
      slots: 0,
      failedTask,
    } as const;
    return setProgress(restored, progress, plan, recordedChanges(service.spec, previous.spec));
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return pause(`it cannot be rolled back: ${error.message}`);
  }
}

/** Stores the progress of an update; a new state is also an event. */
function setProgress(
  service: Service,
  progress: Partial<UpdateProgress>,
  plan: PlanBuilder,
  changes: readonly string[] = [],
): Service {
  const update = { ...beginUpdate("updating", plan.nowMs), ...service.update, ...progress };
  const next = { ...service, update };
  plan.replaceService(next);
  if (progress.state !== undefined)
    plan.recordServiceEvent(`service.${progress.state}`, next, update.message, changes);
  return next;
}
