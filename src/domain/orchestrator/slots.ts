// Slots: the places of a service that its tasks fill one after the other. A slot outlives its tasks; a replicated
// service has as many as replicas, numbered from 1, and a global one has one for each node that may run it.

import { compareStrings } from "../model/compare.ts";
import { canTakeTasks, type MeshNode } from "../model/node.ts";
import { isWanted, type Task } from "../model/task.ts";
import { bestTask } from "./replacement.ts";

/** A slot and all its tasks, oldest first; those that are to be forgotten belong to it no more. */
export type Slot = {
  /** From 1; 0 for a global service. */
  readonly number: number;
  /** The node of a global service's slot; null for a replicated one's. */
  readonly nodeId: string | null;
  readonly tasks: readonly Task[];
};

type NodesById = ReadonlyMap<string, MeshNode>;

/** The slots of a replicated service, by number. */
export function numberedSlots(tasks: readonly Task[]): readonly Slot[] {
  const groups = group(tasks, ({ slot }) => slot);
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([number, list]) => ({ number, nodeId: null, tasks: list }));
}

/** The slots of a global service: one for each node there is, and for each that still has tasks. */
export function nodeSlots(tasks: readonly Task[], nodes: NodesById): readonly Slot[] {
  const groups = group(tasks, ({ nodeId, forNode }) => nodeId ?? forNode ?? "");
  for (const id of nodes.keys()) if (!groups.has(id)) groups.set(id, []);
  return [...groups].map(([nodeId, list]) => ({ number: 0, nodeId, tasks: list }));
}

/** New, empty slots that bring a service to `wanted`: the lowest numbers free, so that a freed one is used again. */
export function freeSlots(slots: readonly Slot[], wanted: number): readonly Slot[] {
  const used = new Set(slots.map(({ number }) => number));
  const free: Slot[] = [];
  for (let number = 1; used.size + free.length < wanted; number += 1) {
    if (!used.has(number)) free.push({ number, nodeId: null, tasks: [] });
  }
  return free;
}

/**
 * The slots to give up so that `wanted` are left. Those without a place go first; then one from the node that has most
 * of them, again and again. Between equals a slot that does not run goes before one that does, a high number before a
 * low one.
 */
export function surplusSlots(slots: readonly Slot[], wanted: number, nodes: NodesById): readonly Slot[] {
  if (slots.length <= wanted) return [];
  const standings = slots.map((slot) => rankSlot(slot, nodes)).sort(byRank);
  const perNode = new Map<string, number>();
  const ranked = standings.map((one) => {
    if (one.nodeId === null) return { ...one, rank: Number.POSITIVE_INFINITY };
    const rank = perNode.get(one.nodeId) ?? 0;
    perNode.set(one.nodeId, rank + 1);
    return { ...one, rank };
  });
  // Stable: within a rank the order by worth stays.
  ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank));
  return ranked.slice(wanted).map(({ slot }) => slot);
}

type RankedSlot = { readonly slot: Slot; readonly nodeId: string | null; readonly isRunning: boolean };

function rankSlot(slot: Slot, nodes: NodesById): RankedSlot {
  const task = bestTask(slot.tasks.filter(isWanted), nodes);
  const node = nodes.get(task?.nodeId ?? "");
  const runs = task?.state === "running" && node !== undefined && keepsTasks(node);
  return { slot, nodeId: task?.nodeId ?? null, isRunning: runs };
}

function keepsTasks(node: MeshNode): boolean {
  return canTakeTasks(node) || (node.state === "ready" && node.availability === "pause");
}

function byRank(a: RankedSlot, b: RankedSlot): number {
  return Number(b.isRunning) - Number(a.isRunning) || a.slot.number - b.slot.number;
}

/** Groups tasks; each group oldest first. */
function group<K>(tasks: readonly Task[], keyOf: (task: Task) => K): Map<K, Task[]> {
  const groups = new Map<K, Task[]>();
  for (const task of tasks) {
    const key = keyOf(task);
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [task]);
    else list.push(task);
  }
  for (const list of groups.values()) if (list.length > 1) list.sort(byTaskAge);
  return groups;
}

function byTaskAge(a: Task, b: Task): number {
  return a.createdAtMs - b.createdAtMs || compareStrings(a.id, b.id);
}
