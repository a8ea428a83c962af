// An update: the slots of a service move to its new spec a few at a time, watched for a while each, and stop moving or
// go back when the new tasks do not run. A rollback is an update to the spec before, by a policy of its own.
//
// The service keeps only that an update is under way, since when, and how many slots it had to move. All else is read
// off the slots each time: what an update did in a slot is the first task it made there. So that one look at the world
// and the next agree, nothing that is read depends on whether a task has been placed yet, and how long a task ran is
// told by the registry's clock alone.

import { MeshError } from "../model/error.ts";
import { isNodeDown } from "../model/node.ts";
import { allocatePorts } from "../model/ports.ts";
import { runHash } from "../model/run-hash.ts";
import type { Service, UpdatePolicy, UpdateProgress } from "../model/service.ts";
import { isAlive, type Task, taskStates } from "../model/task.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { hasEndedByItself, isWithoutSuccessor, nextStart } from "./restart.ts";
import type { SlotView } from "./slot-view.ts";
import { nodeSlots, numberedSlots } from "./slots.ts";

/** SwarmKit's monitor; one not longer than the delay becomes a second longer than it. Milliseconds. */
const defaultMonitorMs = 5_000;
const monitorMarginMs = 1_000;
/** The Docker CLI stops watching when it reads `completed`: it must have seen all tasks run before, milliseconds. */
const minHoldMs = 1_000;

const defaultRollback: UpdatePolicy = { parallelism: 1, order: "start-first" };

/** The policy a service's slots move by now, nothing left out: its rollback policy while it is being rolled back. */
export function updatePolicyOf(service: Service): Required<UpdatePolicy> {
  const isBack = service.update?.state.startsWith("rollback") === true;
  const asked = isBack ? (service.spec.rollback ?? defaultRollback) : service.spec.update;
  const { delayMs = 0, monitorMs = defaultMonitorMs } = asked;
  return {
    ...asked,
    delayMs,
    monitorMs: delayMs >= monitorMs ? delayMs + monitorMarginMs : monitorMs,
    maxFailureRatio: asked.maxFailureRatio ?? 0,
    failureAction: asked.failureAction ?? "pause",
  };
}

/** An update or rollback that begins now. */
export function beginUpdate(state: "updating" | "rollback_started", nowMs: number): UpdateProgress {
  const message = state === "updating" ? "update in progress" : "manually requested rollback";
  return { state, message, startedAtMs: nowMs, completedAtMs: null, sinceMs: nowMs, slots: 0 };
}

/** True while slots are being moved: neither paused nor done. */
export function isUpdating({ update }: Service): boolean {
  return update?.state === "updating" || update?.state === "rollback_started";
}

/**
 * Pauses an update, or turns it back, once more of its slots failed than it may.
 *
 * @param tasks the service's
 * @returns the service as it is from here on; after a rollback with its previous spec
 */
export function evaluateUpdate(service: Service, tasks: readonly Task[], changes: PlanBuilder): Service {
  const { update } = service;
  if (!update || !isUpdating(service)) return service;
  const { monitorMs, maxFailureRatio, failureAction } = updatePolicyOf(service);
  const isGlobal = service.spec.mode.kind === "global";
  const slots = isGlobal ? nodeSlots(tasks, changes.world.nodes) : numberedSlots(tasks);
  const failed = slots
    .flatMap((slot) => firstUpdatedTask(slot.tasks, service, update) ?? [])
    .filter((task) => endedWithin(task, monitorMs));
  const [first] = failed;
  if (first === undefined || failureAction === "continue") return service;
  if (failed.length / Math.max(1, update.slots) <= maxFailureRatio) return service;
  const why = `due to failure or early termination of task ${first.id}`;
  if (update.state === "rollback_started") {
    return setProgress(service, { state: "rollback_paused", message: `rollback paused ${why}` }, changes);
  }
  if (failureAction === "rollback") return rollBack(service, why, changes);
  return setProgress(service, { state: "paused", message: `update paused ${why}` }, changes);
}

/**
 * Takes note of how far an update is: that it begins, how many slots it moves, that it is done.
 *
 * @returns how many more slots it may touch now: its parallelism (0: all) less the slots that are between the old spec
 *   and the new, or arrived there less than the delay ago; none while it is paused
 */
export function advanceUpdate(views: readonly SlotView[], given: Service, changes: PlanBuilder): number {
  const service = beginIfNeeded(given, views, changes);
  const { update } = service;
  if (!update || !isUpdating(service)) return 0;
  const { parallelism, delayMs, monitorMs } = updatePolicyOf(service);
  const moved = views.flatMap(({ slot }) => movedAtMs(slot.tasks, service, update) ?? []);
  const waiting = views.filter((view) => wouldStartUpdate(view, service)).length;
  const between = views.filter((view) => isInTransition(view, service, changes)).length;
  const slots = Math.max(update.slots, waiting + between);
  const counted = slots === update.slots ? service : setProgress(service, { slots }, changes);
  if (views.every((view) => isDone(view, service, changes))) {
    const heldMs = Math.max(...moved.map((atMs) => atMs + Math.max(monitorMs, minHoldMs)));
    completeUpdate(counted, Math.max(update.sinceMs + minHoldMs, heldMs), changes);
  }
  if (parallelism === 0) return Number.POSITIVE_INFINITY;
  const resting = moved.map((atMs) => atMs + delayMs).filter((untilMs) => untilMs > changes.nowMs);
  if (waiting > 0) for (const untilMs of resting) changes.wakeAt(untilMs);
  return parallelism - between - resting.length;
}

/** True when settling this slot would begin its update, for which it has to have a turn. */
export function wouldStartUpdate({ slot, keeper, outgoing }: SlotView, service: Service): boolean {
  const isBegun = slot.tasks.some(
    (task) => isWithoutSuccessor(task) && hasEndedWithCurrentSpec(task, service),
  );
  return keeper === null && outgoing?.reason === "update" && !isBegun;
}

function beginIfNeeded(service: Service, views: readonly SlotView[], changes: PlanBuilder): Service {
  const { update } = service;
  if (update && update.completedAtMs === null) return service;
  // What a completed update tried in vain goes on by the restart policy; a slot it never saw is a new update.
  const begins = update
    ? (view: SlotView) => wouldStartUpdate(view, service)
    : (view: SlotView) => hasOutdatedTask(view) && !hasNoSuccessor(view, service, changes);
  if (!views.some(begins)) return service;
  return setProgress(service, beginUpdate("updating", changes.nowMs), changes);
}

/** True while a slot has a task of an older spec and none of the present one that runs. */
function hasOutdatedTask({ keeper, outgoing, othersToReplace }: SlotView): boolean {
  if (keeper?.state === "running") return false;
  return outgoing?.reason === "update" || othersToReplace.some(({ reason }) => reason === "update");
}

/** True when no task follows in a slot, because its restart policy says so. */
function hasNoSuccessor({ slot, keeper }: SlotView, service: Service, changes: PlanBuilder): boolean {
  return keeper === null && nextStart(slot.tasks, service, changes.nowMs) === null;
}

function completeUpdate(service: Service, atMs: number, changes: PlanBuilder): void {
  if (changes.nowMs < atMs) {
    changes.wakeAt(atMs);
    return;
  }
  const isBack = service.update?.state === "rollback_started";
  const state = isBack ? "rollback_completed" : "completed";
  const message = isBack ? "rollback completed" : "update completed";
  setProgress(service, { state, message, completedAtMs: changes.nowMs }, changes);
}

/** Gives a service its previous spec again. Where that cannot be any more, the update pauses. */
function rollBack(service: Service, why: string, changes: PlanBuilder): Service {
  const { previous } = service;
  const pause = (reason: string) =>
    setProgress(service, { state: "paused", message: `update paused ${why}; ${reason}` }, changes);
  if (previous === null) return pause("there is no previous spec to roll back to");
  const others = [...changes.world.services.values()].filter(({ id }) => id !== service.id);
  try {
    const back: Service = {
      ...service,
      spec: previous.spec,
      document: previous.document,
      previous: null,
      ports: allocatePorts(previous.spec.ports, service.ports, others),
      runHash: runHash(previous.spec),
      version: service.version + 1,
      updatedAtMs: changes.nowMs,
    };
    const message = `update rolled back ${why}`;
    return setProgress(
      back,
      { state: "rollback_started", message, sinceMs: changes.nowMs, slots: 0 },
      changes,
    );
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return pause(`it cannot be rolled back: ${error.message}`);
  }
}

/** Takes down where an update is now; a new state is an event. */
function setProgress(service: Service, part: Partial<UpdateProgress>, changes: PlanBuilder): Service {
  const update = { ...beginUpdate("updating", changes.nowMs), ...service.update, ...part };
  const next = { ...service, update };
  changes.replaceService(next);
  if (part.state !== undefined) changes.recordServiceEvent(`service.${part.state}`, next, update.message);
  return next;
}

/** True while a slot has left the old spec and not arrived at the new one. */
function isInTransition(view: SlotView, service: Service, changes: PlanBuilder): boolean {
  const { slot, keeper, outgoing } = view;
  if (keeper?.state === "running" || wouldStartUpdate(view, service)) return false;
  if (service.update && movedAtMs(slot.tasks, service, service.update) !== null) return false;
  if (outgoing?.reason === "update") return true;
  const last = slot.tasks.findLast(isWithoutSuccessor);
  if (hasNoSuccessor(view, service, changes)) return last?.state !== "complete";
  return (
    slot.tasks.some((task) => hasEndedWithCurrentSpec(task, service)) ||
    hasStoppedOldTask(slot.tasks, service, changes)
  );
}

/** True when an update has nothing to wait for in a slot: a task of the new spec runs, or it was tried. */
function isDone(view: SlotView, service: Service, changes: PlanBuilder): boolean {
  const { slot, keeper } = view;
  if (keeper?.state === "running") return true;
  if (wouldStartUpdate(view, service)) return false;
  if (service.update && movedAtMs(slot.tasks, service, service.update) !== null) return true;
  return hasNoSuccessor(view, service, changes);
}

/** When the update's task in a slot came to run, or ended without; null: not yet, or the slot had nothing to move. */
function movedAtMs(tasks: readonly Task[], service: Service, update: UpdateProgress): number | null {
  const task = firstUpdatedTask(tasks, service, update);
  if (task === null) return null;
  return ranSinceMs(task) ?? (isAlive(task) ? null : endedAtMs(task));
}

/**
 * The first task an update made in a slot. Later ones are restarts and say nothing of the update; one that was taken
 * back before it ran, because its node was lost, is none.
 */
function firstUpdatedTask(
  tasks: readonly Task[],
  service: Service,
  { sinceMs }: UpdateProgress,
): Task | null {
  const counts = (task: Task) =>
    ranSinceMs(task) !== null || hasEndedByItself(task) || (task.desired === "running" && isAlive(task));
  const isOurs = (task: Task) =>
    task.runHash === service.runHash &&
    task.createdAtMs >= sinceMs &&
    (isAlive(task) || endedAtMs(task) > sinceMs);
  return tasks.find((task) => isOurs(task) && counts(task)) ?? null;
}

/** True when a task died on its own account before it ever ran, or within `monitorMs` of that. */
function endedWithin(task: Task, monitorMs: number): boolean {
  if (!hasEndedByItself(task)) return false;
  const sinceMs = ranSinceMs(task);
  return sinceMs === null || endedAtMs(task) - sinceMs <= monitorMs;
}

function ranSinceMs(task: Task): number | null {
  return task.ranSinceMs ?? (task.state === "running" ? task.stateSinceMs : null);
}

function endedAtMs(task: Task): number {
  return task.endedAtMs ?? task.stateSinceMs;
}

function hasEndedWithCurrentSpec(task: Task, service: Service): boolean {
  return hasEndedByItself(task) && task.runHash === service.runHash;
}

/**
 * True where an update took the slot's task of the old spec away: one is still stopping, or the last one was stopped.
 * One that was lost with its node, or was never there, does not hold an update up: its slot may find no place for long.
 */
function hasStoppedOldTask(
  tasks: readonly Task[],
  service: Service,
  { world: { nodes } }: PlanBuilder,
): boolean {
  const old = tasks.filter(
    ({ runHash, state }) => runHash !== service.runHash && taskStates[state] >= taskStates.assigned,
  );
  const lives = (task: Task) => {
    const node = nodes.get(task.nodeId ?? "");
    return isAlive(task) && node !== undefined && !isNodeDown(node);
  };
  const last = old.at(-1);
  return old.some(lives) || (last !== undefined && !isAlive(last) && last.state !== "orphaned");
}
