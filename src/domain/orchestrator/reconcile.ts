// Reconcile: from the world as it is to the tasks as the operator wants them.
//
// It is one pure function that is asked again after every change: it reads the whole world, never remembers anything
// between two calls, and answers with a plan. A settled world gives an empty one. What it goes by:
//
//  - A service asks for slots: a replicated one for N of them, with freed low numbers used again; a global one for one on
//    every node that is ready, active and meets its constraints. Fewer replicas give slots up, from the fullest nodes
//    first (slots.ts).
//  - A slot wants exactly one task, on a node it may be on and made from the service as it is now. Where there are two,
//    the better stays (fate.ts).
//  - Replacement before removal: a running task that has to go, because its node drains or is down, because a constraint
//    no longer holds there or because the service was updated, stays wanted until another one runs in its slot
//    (settle-slot.ts). A node that comes back in time so keeps its task, and the replacement is dropped.
//  - Updates move a few slots at a time, stand still while a new task does not run, and pause or go back when it fails
//    (update.ts). Lost places are replaced all at once.
//  - A task that ended by itself is followed by another as its restart policy says, at once after the first failure and
//    later after each further one (restart.ts). The follower is there at once, so that its slot always shows a task and
//    the reason why it does not run yet; it is only placed later.
//  - Waiting tasks are spread over the nodes (place.ts), or told why no node can take them.
//  - A task that is not to be remembered (scaled down, service removed) is forgotten once it is dead, or when nobody will
//    ever say that it is. Others are remembered, a few for each slot (history.ts).
//  - A node that was removed takes its tasks with it: they are orphaned. So are, after a day, tasks told to stop on a node
//    that stays down. Until then they block nothing.
//
// All decisions are made slot by slot from an index built once, so that the cost grows with the number of tasks.

import { nodeMatches, parseConstraints } from "../model/constraint.ts";
import { canTakeTasks } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isWanted, type Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import { placeTasks, type UnplacedTask } from "../scheduler/place.ts";
import type { Plan } from "./plan.ts";
import { PlanBuilder } from "./plan-builder.ts";
import { isWaitingForStop, reconcileSlot, stopOthers } from "./reconcile-slot.ts";
import { replacementTexts } from "./replacement.ts";
import { viewSlot } from "./slot-view.ts";
import { freeSlots, nodeSlots, numberedSlots, type Slot, surplusSlots } from "./slots.ts";
import { trimHistory } from "./task-history.ts";
import { advanceUpdate, evaluateUpdate, wouldStartUpdate } from "./update.ts";

/**
 * Decides what to change so that the tasks become what the services ask for.
 *
 * @param at the present (epoch milliseconds), and where ids of new tasks come from
 * @see docs/spec.md C1-C52, S1-S17
 */
export function reconcile(world: World, at: { nowMs: number; newId: () => string }): Plan {
  const changes = new PlanBuilder(world, at);
  const tasksOf = tasksByService(changes);
  const waiting: UnplacedTask[] = [];
  for (const found of world.services.values()) {
    const tasks = tasksOf.get(found.id) ?? [];
    const service = evaluateUpdate(found, tasks, changes);
    const slots = wantedSlots(service, tasks, changes);
    waiting.push(...reconcileService(slots, service, changes));
  }
  const due = waiting.filter(({ task }) => isDue(task, changes));
  for (const placement of placeTasks(due, changes.allTasks(), changes)) {
    if (placement.node !== null) changes.assign(placement.task, placement.node);
    else changes.setPendingReason(placement.task, placement.reason);
  }
  return changes.build();
}

/** The tasks that make up each service's slots. What is to be forgotten is dealt with on the way. */
function tasksByService(changes: PlanBuilder): ReadonlyMap<string, readonly Task[]> {
  const tasksOf = new Map<string, Task[]>();
  for (const task of changes.world.tasks.values()) {
    if (!changes.world.services.has(task.serviceId)) changes.remove(task, "its service was removed");
    else if (task.desired === "remove") changes.remove(task, "");
    else {
      const seen = changes.orphanIfNodeGone(task);
      const list = tasksOf.get(task.serviceId);
      if (list === undefined) tasksOf.set(task.serviceId, [seen]);
      else list.push(seen);
    }
  }
  return tasksOf;
}

/** The slots the service is to have; the tasks of all others are given up. */
function wantedSlots(service: Service, tasks: readonly Task[], changes: PlanBuilder): readonly Slot[] {
  const { nodes } = changes.world;
  const trim = (slot: Slot): Slot => ({
    ...slot,
    tasks: trimHistory(slot.tasks, service.spec.restart, changes),
  });
  if (service.spec.mode.kind === "global") {
    return globalSlots(service, nodeSlots(tasks, nodes).map(trim), changes);
  }
  const { replicas } = service.spec.mode;
  const slots = numberedSlots(tasks).map(trim);
  const surplus = new Set(surplusSlots(slots, replicas, nodes));
  for (const { tasks: given } of surplus) {
    for (const task of given) changes.remove(task, "the service was scaled down");
  }
  return [...slots.filter((slot) => !surplus.has(slot)), ...freeSlots(slots, replicas)];
}

/**
 * The slots in which a global service's task may be started or replaced now. A node that is paused or not heard keeps
 * what it has: nothing can take its place, and running the task twice would be the price of trying.
 */
function globalSlots(service: Service, slots: readonly Slot[], changes: PlanBuilder): readonly Slot[] {
  const constraints = parseConstraints(service.spec.constraints);
  return slots.filter(({ nodeId, tasks }) => {
    const node = changes.world.nodes.get(nodeId ?? "");
    const suits = node !== undefined && nodeMatches(constraints, node);
    if (suits && canTakeTasks(node)) return true;
    for (const task of tasks) {
      if (node === undefined) changes.delete(task);
      else if (!isWanted(task)) continue;
      else if (node.availability === "drain") changes.stop(task, replacementTexts.drain);
      else if (!suits && node.availability === "active") changes.stop(task, replacementTexts.constraint);
      else if (task.nodeId === null) changes.delete(task);
    }
    return false;
  });
}

/** Settles the slots of a service; returns its tasks that wait for a place. */
function reconcileService(
  slots: readonly Slot[],
  found: Service,
  changes: PlanBuilder,
): readonly UnplacedTask[] {
  const constraints = parseConstraints(found.spec.constraints);
  const views = slots.map((slot) => viewSlot(slot, found, constraints, changes.world.nodes));
  let turns = advanceUpdate(views, found, changes);
  const service = changes.world.services.get(found.id) ?? found;
  const waiting: UnplacedTask[] = [];
  for (const view of views) {
    if (wouldStartUpdate(view, service)) {
      turns -= 1;
      if (turns < 0) {
        stopOthers(view, changes);
        continue;
      }
    }
    const one = reconcileSlot(view, service, changes);
    if (one === null) continue;
    if (!isWaitingForStop(view.slot, service, changes)) waiting.push(one);
    else changes.setPendingReason(one.task, "waiting for the task before it to stop");
  }
  return waiting;
}

/** False while a task may not be placed yet. */
function isDue(task: Task, changes: PlanBuilder): boolean {
  if (task.notBeforeMs <= changes.nowMs) return true;
  changes.wakeAt(task.notBeforeMs);
  return false;
}
