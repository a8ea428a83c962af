// Placing: which node a waiting task goes to, or why it goes to none.
//
// Spread, as in SwarmKit: of the nodes that can take the task, one with the fewest tasks of its service; among those one
// with the fewest tasks at all; among those the first by host name. A node on which this version of the service keeps
// failing comes last, however empty it is. Running tasks are never moved for the sake of balance.

import { compareStrings } from "../model/compare.ts";
import { nodeMatches, parseConstraints } from "../model/constraint.ts";
import { canTakeTasks } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { PlanBuilder } from "../orchestrator/plan-builder.ts";
import type { UnplacedTask } from "../orchestrator/settle-slot.ts";
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

/** Gives every waiting task a node, or the reason why it has none. */
export function placeWaiting(waiting: readonly UnplacedTask[], changes: PlanBuilder): void {
  if (waiting.length === 0) return;
  const seats = nodeInfos(changes.world, changes.allTasks());
  const failures = recentFailures(changes);
  const choices = new Map<string, NodeChoice>();
  const refused: (UnplacedTask & { readonly choice: NodeChoice })[] = [];
  for (const one of [...waiting].sort(byArrival)) {
    const choice =
      choices.get(one.service.id) ?? nodeChoice(one.service, seats, failures.get(one.service.id));
    choices.set(one.service.id, choice);
    const candidate = chooseNode(choice, one);
    if (candidate === null) refused.push({ ...one, choice });
    else assign(one.task, candidate, choice.requirements, changes);
  }
  // Only now, because every task placed makes nodes fuller: the reason must be true once all are placed.
  for (const one of refused) setPendingReason(one.task, noNodeReason(one.choice, one, seats), changes);
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
function recentFailures({ world, nowMs }: PlanBuilder): ReadonlyMap<string, ReadonlyMap<string, number>> {
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

function assign(task: Task, candidate: NodeCandidate, want: TaskRequirements, changes: PlanBuilder): void {
  const { info } = candidate;
  candidate.serviceTasks += 1;
  addTask(info, want.service, want.hostPorts, true);
  const message =
    task.forNode === undefined
      ? "scheduler assigned task to node"
      : "scheduler confirmed task can run on preassigned node";
  const assigned = changes.change(task, {
    nodeId: info.node.id,
    state: "assigned",
    message,
    err: "",
    stateSinceMs: changes.nowMs,
  });
  changes.recordEvent("task.assign", assigned, `to ${info.node.hostname}`);
}

/** Says why a task still waits; a reason already given is not given again. */
export function setPendingReason(task: Task, err: string, changes: PlanBuilder): void {
  if (task.err === err) return;
  changes.recordEvent("task.pending", changes.change(task, { err }), err);
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
