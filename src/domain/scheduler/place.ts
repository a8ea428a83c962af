// Placement: chooses a node for each unplaced task, or gives the reason why no node can take it.
//
// Tasks are spread as in SwarmKit: of the nodes that pass all filters, those whose labels have the values with
// the fewest tasks of the service, by each placement preference in turn; of those the one with the fewest tasks
// of the service; of those the one with the fewest tasks in all; of those the first by host name. A node on which
// the current version of the service keeps failing comes last, however few tasks it has. Running tasks are
// never moved to rebalance nodes.

import { compareStrings } from "../model/compare.ts";
import { constraintsOf, nodeMatches, spreadValue } from "../model/constraint.ts";
import { canTakeTasks, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import { type FilterName, failedCapacityFilter, failedFilter, noSuitableNodeText } from "./filter.ts";
import {
  hostPortsOf,
  type NodeInfo,
  type NodeTasks,
  nodeInfos,
  type TaskRequirements,
  wantedOnNode,
} from "./node-info.ts";

/** After this many recent failures of a service's current version, a node is the last choice for it. */
const maxFailures = 3;
/** How long a failure counts, milliseconds. */
const failureWindowMs = 5 * 60_000;

/** What the scheduler knows of a mesh. */
type PlacementContext = {
  readonly world: World;
  readonly nowMs: number;
  /** The tasks of each node as they are now, which decide how full it is. */
  readonly nodeTasks: NodeTasks;
  /** The tasks of a service, live and dead, as the world has them. */
  readonly tasksOf: (serviceId: string) => readonly Task[];
  /** A task as it is now; undefined if it was deleted. */
  readonly latest: (task: Task) => Task | undefined;
};

/** A task without a node, and the node of the task that it replaces. */
export type UnplacedTask = {
  readonly task: Task;
  readonly service: Service;
  readonly outgoingNodeId: string | null;
};

/** The node of a task, or the reason why no node can take it. */
export type Placement =
  | { readonly task: Task; readonly node: MeshNode }
  | { readonly task: Task; readonly node: null; readonly reason: string };

/**
 * Places tasks in the order in which they were created.
 *
 * @returns one placement per unplaced task; those without a node come last
 * @see docs/spec.md S1-S20
 */
export function placeTasks(
  unplaced: readonly UnplacedTask[],
  context: PlacementContext,
): readonly Placement[] {
  if (unplaced.length === 0) return [];
  const infos = nodeInfos(context.world, context.nodeTasks);
  const choices = new Map<string, NodeChoice>();
  const placed: Placement[] = [];
  const unplaceable: (UnplacedTask & { readonly choice: NodeChoice })[] = [];
  for (const waiting of unplaced.toSorted(byCreation)) {
    const { task, service } = waiting;
    const choice = choices.get(service.id) ?? nodeChoice(service, infos, context);
    choices.set(service.id, choice);
    const candidate = chooseNode(choice, waiting);
    if (candidate === null) {
      unplaceable.push({ ...waiting, choice });
    } else {
      candidate.serviceTasks += 1;
      for (const group of candidate.groups) group.serviceTasks += 1;
      candidate.info.add(service);
      placed.push({ task, node: candidate.info.node });
    }
  }
  // Reasons come last, because every placed task makes a node fuller: they must hold once all tasks are
  // placed.
  const withReasons = unplaceable.map((waiting): Placement => {
    const reason = noNodeReason(waiting.choice, waiting, infos);
    return { task: waiting.task, node: null, reason };
  });
  return [...placed, ...withReasons];
}

/** The nodes one service can choose from, kept over all of its unplaced tasks. */
type NodeChoice = {
  readonly requirements: TaskRequirements;
  /** Nodes that are ready and meet the constraints. */
  readonly candidates: readonly NodeCandidate[];
  /** Set once a task fits no node; the next one will not either, because nodes only get fuller. */
  isExhausted: boolean;
  /** The reason, kept for the next task: a thousand tasks may have the same. */
  reason: string | null;
};
type NodeCandidate = {
  readonly info: NodeInfo;
  readonly isFailing: boolean;
  /** Wanted tasks of this service on it. */
  serviceTasks: number;
  /** The nodes with which it shares the value of each placement preference, most important first. */
  readonly groups: readonly SpreadGroup[];
};
/** The nodes that share the values of the first placement preferences. */
type SpreadGroup = { serviceTasks: number };

function nodeChoice(service: Service, infos: readonly NodeInfo[], context: PlacementContext): NodeChoice {
  const constraints = constraintsOf(service.spec);
  const requirements = { service, constraints, hostPorts: hostPortsOf(service) };
  const groups = new Map<string, SpreadGroup>();
  const tasks = context.tasksOf(service.id);
  const failures = recentFailures(tasks, service, context.nowMs);
  const wanted = new Map<string, number>();
  for (const task of tasks) {
    const nodeId = wantedOnNode(context.latest(task));
    if (nodeId !== null) wanted.set(nodeId, (wanted.get(nodeId) ?? 0) + 1);
  }
  const serviceTasksOn = ({ node }: NodeInfo) => wanted.get(node.id) ?? 0;
  const candidates = infos
    .filter(({ node }) => canTakeTasks(node) && nodeMatches(constraints, node))
    .map((info) => ({
      info,
      isFailing: (failures.get(info.node.id) ?? 0) >= maxFailures,
      serviceTasks: serviceTasksOn(info),
      groups: joinGroups(info.node, serviceTasksOn(info), service, groups),
    }));
  return { requirements, candidates, isExhausted: false, reason: null };
}

/** The groups of a node by the service's placement preferences; counts its tasks in each of them. */
function joinGroups(
  node: MeshNode,
  serviceTasks: number,
  { spec }: Service,
  groups: Map<string, SpreadGroup>,
): readonly SpreadGroup[] {
  const values: string[] = [];
  return (spec.spreadOver ?? []).map((descriptor) => {
    values.push(spreadValue(descriptor, node));
    const key = JSON.stringify(values);
    const group = groups.get(key) ?? { serviceTasks: 0 };
    groups.set(key, group);
    group.serviceTasks += serviceTasks;
    return group;
  });
}

/**
 * Recent failures of a service's current version, by node id. A rejection counts as the maximum: a node that
 * cannot run a task now will not be able to a second later.
 */
function recentFailures(
  tasks: readonly Task[],
  service: Service,
  nowMs: number,
): ReadonlyMap<string, number> {
  const failures = new Map<string, number>();
  for (const { nodeId, state, runHash, stateSinceMs } of tasks) {
    if ((state !== "failed" && state !== "rejected") || stateSinceMs <= nowMs - failureWindowMs) continue;
    if (nodeId === null || runHash !== service.runHash) continue;
    failures.set(nodeId, (failures.get(nodeId) ?? 0) + (state === "rejected" ? maxFailures : 1));
  }
  return failures;
}

function chooseNode(choice: NodeChoice, { task, outgoingNodeId }: UnplacedTask): NodeCandidate | null {
  // For a task with a predecessor one node is less full than for the others, so it may fit all the same.
  if (choice.isExhausted && outgoingNodeId === null && task.forNode === undefined) return null;
  const outgoing =
    outgoingNodeId === null
      ? undefined
      : choice.candidates.find(({ info }) => info.node.id === outgoingNodeId);
  let best: NodeCandidate | null = null;
  for (const candidate of choice.candidates) {
    const { info } = candidate;
    if (task.forNode !== undefined && task.forNode !== info.node.id) continue;
    if (best !== null && !isPreferred(candidate, best, outgoing)) continue;
    if (failedCapacityFilter(info, choice.requirements, outgoingNodeId) !== null) continue;
    best = candidate;
  }
  if (best === null && task.forNode === undefined) choice.isExhausted = true;
  return best;
}

/**
 * Compares two nodes: failing, tasks of the service among the nodes with the same label values, tasks of the
 * service, tasks in all, host names.
 *
 * @param outgoing the node of the task that is replaced, which does not count
 */
function isPreferred(a: NodeCandidate, b: NodeCandidate, outgoing: NodeCandidate | undefined): boolean {
  if (a.isFailing !== b.isFailing) return b.isFailing;
  for (let level = 0; level < a.groups.length; level += 1) {
    const difference = groupTasks(a, level, outgoing) - groupTasks(b, level, outgoing);
    if (difference !== 0) return difference < 0;
  }
  const difference = nodeLoad(a, a === outgoing) - nodeLoad(b, b === outgoing);
  return difference === 0 ? byHostname(a.info.node, b.info.node) < 0 : difference < 0;
}

function byHostname(a: MeshNode, b: MeshNode): number {
  return compareStrings(a.hostname, b.hostname) || compareStrings(a.id, b.id);
}

function groupTasks({ groups }: NodeCandidate, level: number, outgoing: NodeCandidate | undefined): number {
  const group = groups[level];
  return (group?.serviceTasks ?? 0) - (group !== undefined && outgoing?.groups[level] === group ? 1 : 0);
}

/** Tasks of the service, then tasks in all, as one number. */
function nodeLoad({ info, serviceTasks }: NodeCandidate, hasOutgoing: boolean): number {
  const outgoing = hasOutgoing ? 1 : 0;
  return (serviceTasks - outgoing) * 2 ** 25 + (info.tasks - outgoing);
}

function noNodeReason(
  choice: NodeChoice,
  { task, outgoingNodeId }: UnplacedTask,
  infos: readonly NodeInfo[],
): string {
  const isShared = task.forNode === undefined && outgoingNodeId === null;
  if (isShared && choice.reason !== null) return choice.reason;
  const counts = new Map<FilterName, number>();
  for (const info of infos) {
    if (task.forNode !== undefined && task.forNode !== info.node.id) continue;
    const filter = failedFilter(info, choice.requirements, outgoingNodeId);
    if (filter !== null) counts.set(filter, (counts.get(filter) ?? 0) + 1);
  }
  const reason = noSuitableNodeText(counts);
  if (isShared) choice.reason = reason;
  return reason;
}

function byCreation(a: UnplacedTask, b: UnplacedTask): number {
  return (
    a.task.createdAtMs - b.task.createdAtMs ||
    compareStrings(a.service.spec.name, b.service.spec.name) ||
    a.task.slot - b.task.slot
  );
}
