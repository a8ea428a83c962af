// The choice of nodes for the tasks of one service, kept over all of its tasks that are placed together.
//
// Nodes that the service's constraints and placement preferences do not tell apart are one pool. The best node is the
// best one of the pools whose preference values have the fewest tasks.

import { compareStrings } from "../model/compare.ts";
import { attributesOf, attributeValue, constraintsOf } from "../model/constraint.ts";
import type { MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import { CandidatePool, type NodeCandidate, type SpreadGroup } from "./candidate-pool.ts";
import { failedCapacityFilter } from "./filter.ts";
import { hostPortsOf, type NodeInfos, type TaskRequirements, wantedOnNode } from "./node-info.ts";
import { byHostname, type NodeGrouping, type NodeRanks } from "./node-ranks.ts";

/** After this many recent failures of a service's current version, a node is the last choice for it. */
const maxFailures = 3;
/** How long a failure counts, milliseconds. */
const failureWindowMs = 5 * 60_000;

/** What the choice depends on besides the service. */
export type ChoiceContext = {
  readonly nowMs: number;
  readonly infos: NodeInfos;
  readonly ranks: NodeRanks;
  /** Ids of the nodes that may have fewer tasks than the ranks say. */
  readonly emptiedNodes: Iterable<string>;
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

export class NodeChoice {
  readonly requirements: TaskRequirements;
  readonly #context: ChoiceContext;
  readonly #grouping: NodeGrouping;
  /** Those that meet the constraints. */
  readonly #pools = new Map<string, CandidatePool>();
  /** By node; null: it cannot take tasks, or does not meet the constraints. */
  readonly #candidates = new Map<string, NodeCandidate | null>();
  /** They are the last choice, and in no pool. */
  readonly #failing: NodeCandidate[] = [];
  /** By node, recent failures of the service. */
  readonly #failures: ReadonlyMap<string, number>;
  /** By node, wanted tasks of the service before the first of its tasks was placed. */
  readonly #wanted: ReadonlyMap<string, number>;
  /** Set once a task fits no node; the next one will not either, because nodes only get fuller. */
  #isExhausted = false;

  constructor(service: Service, context: ChoiceContext) {
    this.#context = context;
    const constraints = constraintsOf(service.spec);
    this.requirements = { service, constraints, hostPorts: hostPortsOf(service) };
    const spreadOver = service.spec.spreadOver ?? [];
    const attributes = new Set([...constraints.flatMap(attributesOf), ...spreadOver]);
    this.#grouping = context.ranks.by([...attributes].sort(compareStrings));
    const groups = new Map<string, SpreadGroup>();
    for (const key of this.#grouping.meeting(constraints)) {
      const ranked = this.#grouping.groups.get(key) ?? [];
      const [first] = ranked;
      if (first === undefined) continue;
      this.#pools.set(key, new CandidatePool(ranked, spreadGroups(first.node, spreadOver, groups)));
    }
    const tasks = context.tasksOf(service.id);
    this.#failures = recentFailures(tasks, service, context.nowMs);
    this.#wanted = wantedTasks(tasks, context);
    // The values of preferences have the tasks of all their nodes, so all of these must be known first.
    for (const nodeId of this.#wanted.keys()) this.#candidate(nodeId);
    for (const nodeId of context.emptiedNodes) this.#candidate(nodeId);
  }

  /** Chooses the node of a task, which then counts as placed there. Null: no node has room. */
  choose({ task, outgoingNodeId }: UnplacedTask): MeshNode | null {
    const chosen =
      task.forNode === undefined ? this.#best(outgoingNodeId) : this.#only(task.forNode, outgoingNodeId);
    if (chosen === null) return null;
    addServiceTasks(chosen, 1);
    chosen.info.add(this.requirements.service);
    return chosen.info.node;
  }

  /** The node that a task is meant for, if it has room. */
  #only(nodeId: string, outgoingNodeId: string | null): NodeCandidate | null {
    const candidate = this.#candidate(nodeId);
    return candidate !== null && this.#hasRoom(candidate, outgoingNodeId) ? candidate : null;
  }

  #best(outgoingNodeId: string | null): NodeCandidate | null {
    // For a task with a predecessor one node is less full than for the others, so it may fit all the same.
    if (this.#isExhausted && outgoingNodeId === null) return null;
    const outgoing = outgoingNodeId === null ? null : this.#candidate(outgoingNodeId);
    let best = outgoing !== null && this.#hasRoom(outgoing, outgoingNodeId) ? outgoing : null;
    for (const pool of this.#pools.values()) {
      if (best !== null && !best.isFailing && comparePools(pool, best.pool, outgoing) > 0) continue;
      const candidate = pool.best(
        (nodeId) => this.#candidate(nodeId),
        (one) => this.#hasRoom(one, null),
      );
      if (candidate !== null && (best === null || isPreferred(candidate, best, outgoing))) best = candidate;
    }
    for (const candidate of this.#failing) {
      if (best !== null && !isPreferred(candidate, best, outgoing)) continue;
      if (this.#hasRoom(candidate, outgoingNodeId)) best = candidate;
    }
    if (best === null) this.#isExhausted = true;
    return best;
  }

  #hasRoom({ info }: NodeCandidate, outgoingNodeId: string | null): boolean {
    return failedCapacityFilter(info, this.requirements, outgoingNodeId) === null;
  }

  #candidate(nodeId: string): NodeCandidate | null {
    const known = this.#candidates.get(nodeId);
    if (known !== undefined) return known;
    const candidate = this.#newCandidate(nodeId);
    this.#candidates.set(nodeId, candidate);
    if (candidate?.isFailing) this.#failing.push(candidate);
    else candidate?.pool.add(candidate);
    return candidate;
  }

  #newCandidate(nodeId: string): NodeCandidate | null {
    const { ranks, infos } = this.#context;
    const node = ranks.get(nodeId)?.node;
    const pool = node && this.#pools.get(this.#grouping.keyOf(node));
    if (node === undefined || pool === undefined) return null;
    const isFailing = (this.#failures.get(nodeId) ?? 0) >= maxFailures;
    const candidate = { info: infos.of(node), pool, isFailing, serviceTasks: 0 };
    addServiceTasks(candidate, this.#wanted.get(nodeId) ?? 0);
    return candidate;
  }
}

/** The groups of a node by the service's placement preferences, shared with the nodes of equal values. */
function spreadGroups(
  node: MeshNode,
  spreadOver: readonly string[],
  groups: Map<string, SpreadGroup>,
): readonly SpreadGroup[] {
  const values: string[] = [];
  return spreadOver.map((descriptor) => {
    values.push(attributeValue(descriptor, node));
    const key = JSON.stringify(values);
    const group = groups.get(key) ?? { serviceTasks: 0 };
    groups.set(key, group);
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

function wantedTasks(
  tasks: readonly Task[],
  { latest }: Pick<ChoiceContext, "latest">,
): ReadonlyMap<string, number> {
  const wanted = new Map<string, number>();
  for (const task of tasks) {
    const nodeId = wantedOnNode(latest(task));
    if (nodeId !== null) wanted.set(nodeId, (wanted.get(nodeId) ?? 0) + 1);
  }
  return wanted;
}

function addServiceTasks(candidate: NodeCandidate, count: number): void {
  candidate.serviceTasks += count;
  for (const group of candidate.pool.groups) group.serviceTasks += count;
}

/**
 * Compares two nodes: failing, tasks of the service among the nodes with the same label values, tasks of the
 * service, tasks in all, host names.
 *
 * @param outgoing the node of the task that is replaced, which does not count
 */
function isPreferred(a: NodeCandidate, b: NodeCandidate, outgoing: NodeCandidate | null): boolean {
  if (a.isFailing !== b.isFailing) return b.isFailing;
  const difference =
    comparePools(a.pool, b.pool, outgoing) || nodeLoad(a, a === outgoing) - nodeLoad(b, b === outgoing);
  return difference === 0 ? byHostname(a.info.node, b.info.node) < 0 : difference < 0;
}

/** By the tasks of the service among the nodes with the same label values, fewest first. */
function comparePools(a: CandidatePool, b: CandidatePool, outgoing: NodeCandidate | null): number {
  if (a === b) return 0;
  for (const level of a.groups.keys()) {
    const difference = groupTasks(a, level, outgoing) - groupTasks(b, level, outgoing);
    if (difference !== 0) return difference;
  }
  return 0;
}

function groupTasks({ groups }: CandidatePool, level: number, outgoing: NodeCandidate | null): number {
  const group = groups[level];
  return (group?.serviceTasks ?? 0) - (group !== undefined && outgoing?.pool.groups[level] === group ? 1 : 0);
}

/** Tasks of the service, then tasks in all, as one number. */
function nodeLoad({ info, serviceTasks }: NodeCandidate, hasOutgoing: boolean): number {
  const outgoing = hasOutgoing ? 1 : 0;
  return (serviceTasks - outgoing) * 2 ** 25 + (info.tasks - outgoing);
}
