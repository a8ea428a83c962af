// Placing: which node a waiting task goes to, or why it goes to none.
//
// Spread, as in SwarmKit: of the nodes that can take the task, one with the fewest tasks of its service; among those one
// with the fewest tasks at all; among those the first by host name. A node on which this version of the service keeps
// failing comes last, however empty it is. Running tasks are never moved for the sake of balance.

import { compareStrings } from "../model/compare.ts";
import { nodeMatches, parseConstraints } from "../model/constraint.ts";
import { canTakeTasks, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import { addTask, hostPortsOf, type NodeInfo, nodeInfos, type TaskRequirements } from "./node-info.ts";

/** Failures of a service's present version that make a node the last choice, and for how long they count. */
const failuresThatCount = 3;
const failuresWithinMs = 5 * 60_000;

/** Why a node cannot take a task, in the order in which it is asked, and in SwarmKit's words. */
const filterTexts = {
  ready: (n: number) => `${nodeCountText(n)} not available for new tasks`,
  resources: (n: number) => `insufficient resources on ${nodeCountText(n)}`,
  constraints: (n: number) => `scheduling constraints not satisfied on ${nodeCountText(n)}`,
  hostPort: (n: number) => `host-mode port already in use on ${nodeCountText(n)}`,
  maxPerNode: (_: number) => "max replicas per node limit exceed",
} as const;
type FilterName = keyof typeof filterTexts;

/** A task waiting for a node, and the node of the task it is to replace, which is about to stop. */
export type UnplacedTask = {
  readonly task: Task;
  readonly service: Service;
  readonly outgoingNodeId: string | null;
};

/** Where a task is placed, or why no node can take it. */
export type Placement =
  | { readonly task: Task; readonly node: MeshNode }
  | { readonly task: Task; readonly node: null; readonly reason: string };

/**
 * Chooses a node for each unplaced task, in the order in which they were created.
 *
 * @param tasks all tasks of the mesh as they are now, which decide how full each node is
 * @param world the nodes and services, and the recent failures among its tasks
 * @returns one placement per unplaced task; those without a node come last
 * @see docs/spec.md S1-S17
 */
export function placeTasks(
  unplaced: readonly UnplacedTask[],
  tasks: Iterable<Task>,
  { world, nowMs }: { readonly world: World; readonly nowMs: number },
): readonly Placement[] {
  if (unplaced.length === 0) return [];
  const infos = nodeInfos(world, tasks);
  const failures = recentFailures(world, nowMs);
  const choices = new Map<string, NodeChoice>();
  const placed: Placement[] = [];
  const refused: (UnplacedTask & { readonly choice: NodeChoice })[] = [];
  for (const waiting of unplaced.toSorted(byArrival)) {
    const { task, service } = waiting;
    const choice = choices.get(service.id) ?? nodeChoice(service, infos, failures.get(service.id));
    choices.set(service.id, choice);
    const candidate = chooseNode(choice, waiting);
    if (candidate === null) {
      refused.push({ ...waiting, choice });
    } else {
      candidate.serviceTasks += 1;
      addTask(candidate.info, service, choice.requirements.hostPorts, true);
      placed.push({ task, node: candidate.info.node });
    }
  }
  // Only now, because every placed task makes a node fuller: the reasons must hold once all tasks are placed.
  const reasons = refused.map((waiting): Placement => {
    const reason = noNodeReason(waiting.choice, waiting, infos);
    return { task: waiting.task, node: null, reason };
  });
  return [...placed, ...reasons];
}

/** What one service may choose from, kept over all of its waiting tasks. */
type NodeChoice = {
  readonly requirements: TaskRequirements;
  /** Nodes that may take its tasks as far as fullness goes, in the order of their host names. */
  readonly candidates: readonly NodeCandidate[];
  /** Set once a task found no place; no other will, since nodes only get fuller. */
  isExhausted: boolean;
  /** The reason given to the first; kept because a thousand tasks may ask for the same. */
  reason: string | null;
};
type NodeCandidate = {
  readonly info: NodeInfo;
  readonly isFailing: boolean;
  /** Wanted tasks of this service on it. */
  serviceTasks: number;
};

function nodeChoice(
  service: Service,
  seats: readonly NodeInfo[],
  failures: ReadonlyMap<string, number> | undefined,
): NodeChoice {
  const constraints = parseConstraints(service.spec.constraints);
  const want = { service, constraints, hostPorts: hostPortsOf(service) };
  const candidates = seats
    .filter(({ node }) => canTakeTasks(node) && nodeMatches(constraints, node))
    .map((info) => ({
      info,
      isFailing: (failures?.get(info.node.id) ?? 0) >= failuresThatCount,
      serviceTasks: info.tasksOf.get(service.id) ?? 0,
    }));
  return { requirements: want, candidates, isExhausted: false, reason: null };
}

/**
 * Failures of each service's present version, per node. A rejection counts in full: what a node cannot run now it
 * cannot run in a second either.
 */
function recentFailures(world: World, nowMs: number): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const failures = new Map<string, Map<string, number>>();
  for (const { serviceId, nodeId, state, runHash, stateSinceMs } of world.tasks.values()) {
    if ((state !== "failed" && state !== "rejected") || stateSinceMs <= nowMs - failuresWithinMs) continue;
    if (nodeId === null || runHash !== world.services.get(serviceId)?.runHash) continue;
    const perNode = failures.get(serviceId) ?? new Map<string, number>();
    perNode.set(nodeId, (perNode.get(nodeId) ?? 0) + (state === "rejected" ? failuresThatCount : 1));
    failures.set(serviceId, perNode);
  }
  return failures;
}

function chooseNode(choice: NodeChoice, { task, outgoingNodeId }: UnplacedTask): NodeCandidate | null {
  // The task's own predecessor makes one node less full for it than for the others.
  if (choice.isExhausted && outgoingNodeId === null && task.forNode === undefined) return null;
  let best: NodeCandidate | null = null;
  let lowest = Number.POSITIVE_INFINITY;
  for (const candidate of choice.candidates) {
    const { node } = candidate.info;
    if (task.forNode !== undefined && task.forNode !== node.id) continue;
    const load = nodeLoad(candidate, node.id === outgoingNodeId);
    // They come by host name, so that an equal one that comes later is not better.
    if (load >= lowest || failedCapacityFilter(candidate.info, choice.requirements, outgoingNodeId) !== null)
      continue;
    best = candidate;
    lowest = load;
  }
  if (best === null && task.forNode === undefined) choice.isExhausted = true;
  return best;
}

/** The three things a node is chosen by, as one number: failing, tasks of the service, tasks at all. */
function nodeLoad({ info, isFailing, serviceTasks }: NodeCandidate, hasOutgoing: boolean): number {
  const less = hasOutgoing ? 1 : 0;
  return (isFailing ? 2 ** 50 : 0) + (serviceTasks - less) * 2 ** 25 + (info.tasks - less);
}

/** The first filter by which a node cannot take the task; null when it can. */
function failedFilter(
  seat: NodeInfo,
  want: TaskRequirements,
  outgoingNodeId: string | null,
): FilterName | null {
  if (!canTakeTasks(seat.node)) return "ready";
  const full = failedCapacityFilter(seat, want, outgoingNodeId);
  if (full === "resources") return full;
  return nodeMatches(want.constraints, seat.node) ? full : "constraints";
}

/** The first filter that has to do with what is on the node. */
function failedCapacityFilter(
  seat: NodeInfo,
  { service, hostPorts }: TaskRequirements,
  outgoingNodeId: string | null,
): FilterName | null {
  const { reservations, maxPerNode } = service.spec;
  const { nanoCpus, memoryBytes } = seat.node.resources;
  if (reservations.nanoCpus > 0 && seat.nanoCpus + reservations.nanoCpus > nanoCpus) return "resources";
  if (reservations.memoryBytes > 0 && seat.memoryBytes + reservations.memoryBytes > memoryBytes) {
    return "resources";
  }
  // The task about to be replaced holds its port and its place for its successor.
  const own = seat.node.id === outgoingNodeId ? 1 : 0;
  if (hostPorts.some((port) => (seat.hostPorts.get(port) ?? 0) > own)) return "hostPort";
  if (maxPerNode > 0 && (seat.tasksOf.get(service.id) ?? 0) - own >= maxPerNode) return "maxPerNode";
  return null;
}

function noNodeReason(
  choice: NodeChoice,
  { task, outgoingNodeId }: UnplacedTask,
  seats: readonly NodeInfo[],
): string {
  const common = task.forNode === undefined && outgoingNodeId === null;
  if (common && choice.reason !== null) return choice.reason;
  const counts = new Map<FilterName, number>();
  for (const seat of seats) {
    if (task.forNode !== undefined && task.forNode !== seat.node.id) continue;
    const filter = failedFilter(seat, choice.requirements, outgoingNodeId);
    if (filter !== null) counts.set(filter, (counts.get(filter) ?? 0) + 1);
  }
  const asked = Object.keys(filterTexts) as FilterName[];
  const parts = asked.flatMap((filter) => {
    const count = counts.get(filter);
    return count === undefined ? [] : filterTexts[filter](count);
  });
  const text = parts.length === 0 ? "no suitable node" : `no suitable node (${parts.join("; ")})`;
  if (common) choice.reason = text;
  return text;
}

function nodeCountText(count: number): string {
  return count === 1 ? "1 node" : `${count} nodes`;
}

/** First come, first served. */
function byArrival(a: UnplacedTask, b: UnplacedTask): number {
  return (
    a.task.createdAtMs - b.task.createdAtMs ||
    compareStrings(a.service.spec.name, b.service.spec.name) ||
    a.task.slot - b.task.slot
  );
}
