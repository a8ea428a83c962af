// The slots of a service: numbered for a replicated service, one per node for a global one. Tasks fill a slot
// one after another, and the slot outlives them.

import { compareStrings } from "../model/compare.ts";
import { canTakeTasks, type MeshNode } from "../model/node.ts";
import { isWanted, slotOf, type Task } from "../model/task.ts";
import { bestTask } from "./replacement.ts";

/** A slot and its tasks, oldest first, without those whose desired state is `remove`. */
export type Slot = {
  /** From 1; 0 for a global service. */
  readonly number: number;
  /** The node of a global service's slot; null for a replicated service. */
  readonly nodeId: string | null;
  readonly tasks: readonly Task[];
};

type NodesById = ReadonlyMap<string, MeshNode>;

/** The slots of a replicated service, ascending by number. */
export function numberedSlots(tasks: readonly Task[]): readonly Slot[] {
  const groups = groupTasks(tasks, ({ slot }) => slot);
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([number, slotTasks]) => ({ number, nodeId: null, tasks: slotTasks }));
}

/** The slots of a global service: one per node, and one per removed node that still has tasks. */
export function nodeSlots(tasks: readonly Task[], nodes: NodesById): readonly Slot[] {
  const groups = groupTasks(tasks, slotOf);
  for (const id of nodes.keys()) if (!groups.has(id)) groups.set(id, []);
  return [...groups].map(([nodeId, slotTasks]) => ({ number: 0, nodeId, tasks: slotTasks }));
}

/** Empty slots that bring a service to `replicas` slots, with the lowest free numbers. */
export function freeSlots(slots: readonly Slot[], replicas: number): readonly Slot[] {
  const used = new Set(slots.map(({ number }) => number));
  const free: Slot[] = [];
  for (let number = 1; used.size + free.length < replicas; number += 1) {
    if (!used.has(number)) free.push({ number, nodeId: null, tasks: [] });
  }
  return free;
}

/**
 * The slots to remove so that `replicas` are left. Slots whose task has no node go first; then one at a time
 * from the node with the most slots of the service. Among equals a slot that is not running goes before a
 * running one, and a high number before a low one.
 */
export function surplusSlots(slots: readonly Slot[], replicas: number, nodes: NodesById): readonly Slot[] {
  if (slots.length <= replicas) return [];
  const byPreference = slots.map((slot) => rankSlot(slot, nodes)).sort(byRank);
  const slotsOnNode = new Map<string, number>();
  const ranked = byPreference.map((candidate) => {
    if (candidate.nodeId === null) return { ...candidate, rankOnNode: Number.POSITIVE_INFINITY };
    const rankOnNode = slotsOnNode.get(candidate.nodeId) ?? 0;
    slotsOnNode.set(candidate.nodeId, rankOnNode + 1);
    return { ...candidate, rankOnNode };
  });
  // The sort is stable: within one rank the order by preference remains. Infinity minus Infinity is NaN.
  ranked.sort((a, b) => (a.rankOnNode === b.rankOnNode ? 0 : a.rankOnNode - b.rankOnNode));
  return ranked.slice(replicas).map(({ slot }) => slot);
}

type RankedSlot = { readonly slot: Slot; readonly nodeId: string | null; readonly isRunning: boolean };

function rankSlot(slot: Slot, nodes: NodesById): RankedSlot {
  const task = bestTask(slot.tasks.filter(isWanted), nodes);
  const node = nodes.get(task?.nodeId ?? "");
  const isRunning = task?.state === "running" && node !== undefined && keepsTasks(node);
  return { slot, nodeId: task?.nodeId ?? null, isRunning };
}

function keepsTasks(node: MeshNode): boolean {
  return canTakeTasks(node) || (node.state === "ready" && node.availability === "pause");
}

function byRank(a: RankedSlot, b: RankedSlot): number {
  return Number(b.isRunning) - Number(a.isRunning) || a.slot.number - b.slot.number;
}

/** Groups tasks by a key; each group oldest first. */
function groupTasks<K>(tasks: readonly Task[], keyOf: (task: Task) => K): Map<K, Task[]> {
  const groups = new Map<K, Task[]>();
  for (const task of tasks) {
    const key = keyOf(task);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [task]);
    else group.push(task);
  }
  for (const group of groups.values()) if (group.length > 1) group.sort(byTaskAge);
  return groups;
}

function byTaskAge(a: Task, b: Task): number {
  return a.createdAtMs - b.createdAtMs || compareStrings(a.id, b.id);
}
