// Settling: applies reconcile's plans until a plan is empty, so that a saved world is always a settled one. Only
// what a transaction touched is reconciled, and the services whose time has come.

import type { Service } from "../domain/model/service.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { isEmpty, type Plan } from "../domain/orchestrator/plan.ts";
import { type ReconcileScope, reconcile } from "../domain/orchestrator/reconcile.ts";
import { settleAddresses } from "./address-allocation.ts";
import { settleDiscovery } from "./discovery.ts";
import type { Draft } from "./draft.ts";
import { SchedulableNodes } from "./schedulable-nodes.ts";

/** Two or three rounds are usual. More than this is a bug; the rest is left for the next wake-up. */
const maxReconcileRounds = 20;
const reconcileRetryMs = 1_000;
/**
 * Shortest delay of the next wake-up, milliseconds: a wake-up that is always due would keep the object awake.
 */
const minReconcileWakeMs = 100;

/**
 * When each service has to be reconciled again although nothing touches it, epoch milliseconds, by its id. Null:
 * unknown, as after a start; then all services are reconciled.
 */
export type ReconcileWakes = ReadonlyMap<string, number> | null;

/**
 * Reconciles the draft until it is settled, and gives new services and tasks their addresses. Sets the deadline of
 * the next reconcile, too.
 *
 * @returns the wakes from here on
 */
export function settleWorld(draft: Draft, wakes: ReconcileWakes): ReconcileWakes {
  settleDiscovery(draft);
  const next = reconcileDraft(draft, wakes);
  settleAddresses(draft);
  return next;
}

/** Applies plans until one is empty, and sets the deadline of the next reconcile. */
function reconcileDraft(draft: Draft, wakes: ReconcileWakes): ReconcileWakes {
  const { nowMs, context, store } = draft;
  const next = new Map(wakes);
  for (let round = 0; round < maxReconcileRounds; round += 1) {
    const ids = wakes === null ? null : touchedServices(draft, wakes);
    const plan = reconcile(schedulableWorld(draft), { nowMs, newId: context.newId }, scopeOf(draft, ids));
    if (!isEmpty(plan)) {
      applyToDraft(draft, plan);
      continue;
    }
    if (ids === null) next.clear();
    else for (const id of ids) next.delete(id);
    for (const [id, atMs] of plan.wakes) next.set(id, atMs);
    const wakeAtMs = next.size === 0 ? null : Math.min(...next.values());
    store.setDeadline("reconcile", wakeAtMs && Math.max(wakeAtMs, nowMs + minReconcileWakeMs));
    return next;
  }
  store.setDeadline("reconcile", nowMs + reconcileRetryMs);
  return null;
}

/**
 * The services that a transaction may have unsettled, by id, with those that were removed: whatever it touched of
 * them and of their nodes, those with a task that waits for a node if there may be more room, and those whose time
 * has come.
 */
function touchedServices(draft: Draft, wakes: ReadonlyMap<string, number>): ReadonlySet<string> {
  const { index, world, nowMs } = draft;
  const ids = new Set(draft.touched("services").keys());
  for (const [id, before] of draft.touched("tasks")) {
    const serviceId = (world.tasks.get(id) ?? before)?.serviceId;
    if (serviceId !== undefined) ids.add(serviceId);
  }
  const nodes = draft.touched("nodes");
  for (const nodeId of nodes.keys()) {
    for (const { serviceId } of index.tasksOfNode(world, nodeId)) ids.add(serviceId);
  }
  // Their slots are the nodes that there are.
  if (nodes.size > 0) for (const id of index.global) ids.add(id);
  if (mayHaveRoom(draft)) {
    for (const taskId of index.unplaced) {
      const serviceId = world.tasks.get(taskId)?.serviceId;
      if (serviceId !== undefined) ids.add(serviceId);
    }
  }
  for (const [id, atMs] of wakes) if (atMs <= nowMs) ids.add(id);
  return ids;
}

/** True if the draft may have made room on a node: all but reports about tasks that go on. */
function mayHaveRoom(draft: Draft): boolean {
  if (draft.touched("nodes").size + draft.touched("services").size > 0) return true;
  const goesOn = (before: Task | undefined, after: Task | undefined): boolean =>
    before !== undefined &&
    after !== undefined &&
    isAlive(before) === isAlive(after) &&
    before.desired === after.desired;
  return [...draft.touched("tasks")].some(([id, before]) => !goesOn(before, draft.world.tasks.get(id)));
}

/** @param ids null: the whole world */
function scopeOf({ world, index }: Draft, ids: ReadonlySet<string> | null): ReconcileScope | undefined {
  if (ids === null) return undefined;
  const services: Service[] = [];
  // In the order of the world, so that tasks get their ids and events in the same order.
  for (const service of world.services.values()) if (ids.has(service.id)) services.push(service);
  return {
    services,
    tasks: [...ids].flatMap((id) => index.tasksOfService(world, id)),
    nodeTasks: index.nodeTasks(world),
    ranks: () => index.nodeRanks(world),
  };
}

function applyToDraft(draft: Draft, plan: Plan): void {
  for (const id of plan.removed) draft.remove("tasks", id);
  for (const task of plan.tasks) draft.put("tasks", task);
  for (const service of plan.services) draft.put("services", service);
  // A plan may have more events than a call takes arguments.
  for (const event of plan.events) draft.events.push(event);
}

function schedulableWorld({ world, index }: Draft): World {
  if (index.unschedulable.size === 0) return world;
  return { ...world, nodes: new SchedulableNodes(world.nodes, index.unschedulable) };
}
