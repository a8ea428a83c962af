// Reconciling: decides which tasks to create, place, stop and delete so that they match the services.
//
// It is one pure function, called again after every change. It reads the whole world, keeps nothing between
// two calls and returns a plan; the plan of a settled world is empty. Its rules:
//
//  - Slots. A replicated service has N slots and reuses free low numbers. A global service has one slot on
//    every node that is ready, active and meets its constraints. Scaling down removes slots from the fullest
//    nodes first (slots.ts).
//  - One task per slot. A settled slot has exactly one wanted task, on a node that may run it, made from the
//    current spec. Of two such tasks the better one stays (replacement.ts, slot-view.ts).
//  - Replace, then remove. A running task that needs replacement, because its node drains or is down, a
//    constraint no longer holds or the service was updated, keeps its desired state `running` until its
//    replacement runs (reconcile-slot.ts). If its node comes back before that, the task stays and the
//    replacement is stopped.
//  - Updates. An update replaces a few slots at a time, waits while a new task does not run, and pauses or
//    rolls back when one fails (update.ts). The first new tasks are on trial: until one of them ran for the
//    monitor period, no further slot is touched, and the old tasks of these slots run on (trial.ts). Tasks of
//    lost nodes are replaced all at once.
//  - Jobs. A slot of a job completes once (reconcile-job.ts).
//  - Restarts. A task that ended by itself gets a successor if the restart policy says so: at once after the
//    first failure, with a growing delay after each further one (restart.ts). The successor is created at
//    once, so that the slot always shows a task and the reason why it is not running, and placed when its
//    delay is over.
//  - Placement. Unplaced tasks are spread over the nodes, or show why no node can take them
//    (scheduler/place.ts).
//  - Removal. A task whose slot or service was removed is deleted once it is dead, or at once if no agent can
//    report that. Other dead tasks stay as history, a few per slot (task-history.ts).
//  - Lost nodes. The tasks of a removed node become orphaned, and so does, after a day, a task that should
//    stop on a node that is down. Until then they block nothing.
//
// Slots are decided one by one from an index built once, in time linear in the number of tasks. A task is placed by
// the ranks of the nodes (scheduler/node-ranks.ts), of which it usually needs the first.

import { constraintsOf, nodeMatches } from "../model/constraint.ts";
import { canTakeTasks } from "../model/node.ts";
import { isJob, type Service } from "../model/service.ts";
import { isWanted, type Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import type { UnplacedTask } from "../scheduler/node-choice.ts";
import { type NodeTasks, nodeTasksOf } from "../scheduler/node-info.ts";
import { NodeRanks } from "../scheduler/node-ranks.ts";
import { placeTasks } from "../scheduler/place.ts";
import type { Plan } from "./plan.ts";
import { PlanBuilder } from "./plan-builder.ts";
import { reconcileJob } from "./reconcile-job.ts";
import { isWaitingForStop, reconcileSlot, stopOthers } from "./reconcile-slot.ts";
import { replacementTexts } from "./replacement.ts";
import { isLost, nodesThatMayReturn } from "./return-of-nodes.ts";
import { type SlotView, viewSlot } from "./slot-view.ts";
import { freeSlots, nodeSlots, numberedSlots, type Slot, surplusSlots } from "./slots.ts";
import { trimHistory } from "./task-history.ts";
import { hasHeldTask, holdOldTask, trialOf } from "./trial.ts";
import { advanceUpdate, beginIfNeeded, evaluateUpdate } from "./update.ts";
import { wouldStartUpdate } from "./update-slot.ts";

/** The part of a world that is reconciled. */
export type ReconcileScope = {
  readonly services: Iterable<Service>;
  /** All tasks of these services, and of services that were removed. */
  readonly tasks: Iterable<Task>;
  /** The tasks of each node of the whole world. */
  readonly nodeTasks: NodeTasks;
  /** The ranks of the nodes of the whole world; called if a task has to be placed. */
  readonly ranks: () => NodeRanks;
};

function wholeScope({ nodes, services, tasks }: World): ReconcileScope {
  const nodeTasks = nodeTasksOf(tasks.values());
  return {
    services: services.values(),
    tasks: tasks.values(),
    nodeTasks,
    ranks: () => new NodeRanks(nodes.values(), nodeTasks.wantedOn),
  };
}

/**
 * Decides what to change so that the tasks match the services. Discovered services and their tasks stay as they
 * are.
 *
 * @param at the current time (epoch milliseconds) and the source of ids for new tasks
 * @param scope absent: the whole world. The plan for a part is the same if the rest is settled and no time of its
 *   wakes has come
 * @see docs/spec.md C1-C69, S1-S31
 */
export function reconcile(
  world: World,
  at: { nowMs: number; newId: () => string },
  scope: ReconcileScope = wholeScope(world),
): Plan {
  const plan = new PlanBuilder(world, at);
  const serviceTasks = prepareTasks(scope.tasks, plan);
  const unplaced: UnplacedTask[] = [];
  for (const before of scope.services) {
    if (before.discovered !== undefined) continue;
    const tasks = serviceTasks.get(before.id) ?? [];
    if (isJob(before.spec.mode)) {
      unplaced.push(...reconcileJob(before, tasks, plan));
      continue;
    }
    const service = evaluateUpdate(before, tasks, plan);
    const slots = wantedSlots(service, tasks, plan);
    // All its tasks, not those of these slots: one on a paused node proves a spec, too.
    const kept = tasks.flatMap((task) => plan.latest(task) ?? []);
    unplaced.push(...reconcileService(slots, kept, service, plan));
  }
  const due = unplaced.filter(({ task }) => isDue(task, plan));
  if (due.length === 0) return plan.build();
  const held = due.some(({ outgoingNodeId }) => isLost(world.nodes.get(outgoingNodeId ?? "")))
    ? nodesThatMayReturn(world.nodes.values(), at.nowMs)
    : null;
  const placeable: UnplacedTask[] = [];
  for (const waiting of due) {
    if (held?.ids.has(waiting.outgoingNodeId ?? "")) {
      plan.setPendingReason(waiting.task, "waiting for more nodes to return");
      plan.wakeAt(held.untilMs, waiting.task.serviceId);
    } else placeable.push(waiting);
  }
  if (placeable.length === 0) return plan.build();
  const context = {
    ...plan.nodeTasks(scope.nodeTasks),
    world: plan.world,
    nowMs: at.nowMs,
    ranks: scope.ranks(),
    tasksOf: (serviceId: string) => serviceTasks.get(serviceId) ?? [],
    latest: (task: Task) => plan.latest(task),
  };
  for (const placement of placeTasks(placeable, context)) {
    if (placement.node !== null) plan.assign(placement.task, placement.node);
    else plan.setPendingReason(placement.task, placement.reason);
  }
  return plan.build();
}

/** The tasks of each service that fill its slots. Removes the other tasks and orphans those of lost nodes. */
function prepareTasks(tasks: Iterable<Task>, plan: PlanBuilder): ReadonlyMap<string, readonly Task[]> {
  const serviceTasks = new Map<string, Task[]>();
  for (const task of tasks) {
    if (task.discovered) continue;
    if (!plan.world.services.has(task.serviceId)) plan.remove(task, "its service was removed");
    else if (task.desired === "remove") plan.remove(task, "");
    else {
      const latest = plan.orphanIfNodeLost(task);
      const list = serviceTasks.get(task.serviceId);
      if (list === undefined) serviceTasks.set(task.serviceId, [latest]);
      else list.push(latest);
    }
  }
  return serviceTasks;
}

/** The slots the service asks for; removes the tasks of all others. */
function wantedSlots(service: Service, tasks: readonly Task[], plan: PlanBuilder): readonly Slot[] {
  const { nodes } = plan.world;
  const trim = (slot: Slot): Slot => ({
    ...slot,
    tasks: trimHistory(slot.tasks, service.spec.restart, plan),
  });
  const { mode } = service.spec;
  if (mode.kind !== "replicated") return globalSlots(service, nodeSlots(tasks, nodes).map(trim), plan);
  const { replicas } = mode;
  const slots = numberedSlots(tasks).map(trim);
  const surplus = new Set(surplusSlots(slots, replicas, nodes));
  for (const slot of surplus) {
    for (const task of slot.tasks) plan.remove(task, "the service was scaled down");
  }
  return [...slots.filter((slot) => !surplus.has(slot)), ...freeSlots(slots, replicas)];
}

/**
 * The slots in which a global service's task may be started or replaced now. A node that is paused or not
 * ready keeps its assigned task: no other node can run it instead, and starting it again there could run it
 * twice. A task that was not assigned yet is deleted.
 */
function globalSlots(service: Service, slots: readonly Slot[], plan: PlanBuilder): readonly Slot[] {
  const constraints = constraintsOf(service.spec);
  return slots.filter(({ nodeId, tasks }) => {
    const node = plan.world.nodes.get(nodeId ?? "");
    const meetsConstraints = node !== undefined && nodeMatches(constraints, node);
    if (meetsConstraints && canTakeTasks(node)) return true;
    for (const task of tasks) {
      if (node === undefined) plan.delete(task);
      else if (!isWanted(task)) continue;
      else if (node.availability === "drain") plan.stop(task, replacementTexts.drain);
      else if (!meetsConstraints && node.availability === "active") {
        plan.stop(task, replacementTexts.constraint);
      } else if (task.nodeId === null) plan.delete(task);
    }
    return false;
  });
}

/**
 * Reconciles the slots of a service, and starts the update of as many of them as its policy allows now.
 *
 * @param slots the slots in which tasks may be started or replaced now
 * @param tasks the service's tasks, also those in other slots
 * @returns the service's unplaced tasks
 */
function reconcileService(
  slots: readonly Slot[],
  tasks: readonly Task[],
  before: Service,
  plan: PlanBuilder,
): readonly UnplacedTask[] {
  const constraints = constraintsOf(before.spec);
  const { nodes } = plan.world;
  const plainViews = slots.map((slot) => viewSlot(slot, before, constraints, nodes));
  const begun = beginIfNeeded(before, plainViews, plan);
  const trial = trialOf(begun, tasks, { nodes, nowMs: plan.nowMs });
  const views = plainViews.map((view) => holdOldTask(view, trial, begun, nodes));
  let updatesLeft = advanceUpdate(views, trial, begun, plan);
  const service = plan.world.services.get(before.id) ?? begun;
  if (!trial.isOver && trial.endsAtMs !== null && views.some((view) => waitsForTrial(view, service))) {
    plan.wakeAt(trial.endsAtMs, service.id);
  }
  const unplaced: UnplacedTask[] = [];
  for (const view of views) {
    if (wouldStartUpdate(view, service)) {
      updatesLeft -= 1;
      if (updatesLeft < 0) {
        stopOthers(view, plan);
        continue;
      }
    }
    const waiting = reconcileSlot(view, service, plan);
    if (waiting === null) continue;
    if (!isWaitingForStop(view.slot, service, plan)) unplaced.push(waiting);
    else plan.setPendingReason(waiting.task, "waiting for the previous task to stop");
  }
  return unplaced;
}

/** True if the end of the trial changes something in a slot: its old task stops, or its update may start. */
function waitsForTrial(view: SlotView, service: Service): boolean {
  return hasHeldTask(view) || wouldStartUpdate(view, service);
}

/** False while a task's delay is running; then the plan asks to be woken at its end. */
function isDue(task: Task, plan: PlanBuilder): boolean {
  if (task.notBeforeMs <= plan.nowMs) return true;
  plan.wakeAt(task.notBeforeMs, task.serviceId);
  return false;
}
