// Placing: which node a waiting task goes to, or why it goes to none.
//
// Spread, as in SwarmKit: of the nodes that can take the task, one with the fewest tasks of its service; among those one
// with the fewest tasks at all; among those the first by host name. A node on which this version of the service keeps
// failing comes last, however empty it is. Running tasks are never moved for the sake of balance.

import type { Changes } from "./changes.ts";
import { nodeMatches, parseConstraints } from "./constraint.ts";
import { hostPortsOf, type Seat, seatNodes, sit, type Want } from "./crowd.ts";
import { takesTasks } from "./nodes.ts";
import type { Service } from "./service.ts";
import type { Waiting } from "./settle-slot.ts";
import type { Task } from "./task.ts";

/** Failures of a service's present version that make a node the last choice, and for how long they count. */
const failuresThatCount = 3;
const failuresWithinMs = 5 * 60_000;

/** Why a node cannot take a task, in the order in which it is asked, and in SwarmKit's words. */
const filters = {
  ready: (n: number) => `${nodes(n)} not available for new tasks`,
  resources: (n: number) => `insufficient resources on ${nodes(n)}`,
  constraints: (n: number) => `scheduling constraints not satisfied on ${nodes(n)}`,
  hostPort: (n: number) => `host-mode port already in use on ${nodes(n)}`,
  maxPerNode: (_: number) => "max replicas per node limit exceed",
} as const;
type Filter = keyof typeof filters;

/** Gives every waiting task a node, or the reason why it has none. */
export function placeWaiting(waiting: readonly Waiting[], changes: Changes): void {
  if (waiting.length === 0) return;
  const seats = seatNodes(changes.world, changes.all());
  const failures = recentFailures(changes);
  const choices = new Map<string, Choice>();
  const refused: (Waiting & { readonly choice: Choice })[] = [];
  for (const one of [...waiting].sort(byTurn)) {
    const choice = choices.get(one.service.id) ?? newChoice(one.service, seats, failures.get(one.service.id));
    choices.set(one.service.id, choice);
    const candidate = choose(choice, one);
    if (candidate === null) refused.push({ ...one, choice });
    else assign(one.task, candidate, choice.want, changes);
  }
  // Only now, because every task placed makes nodes fuller: the reason must be true once all are placed.
  for (const one of refused) refuse(one.task, explain(one.choice, one, seats), changes);
}

/** What one service may choose from, kept over all of its waiting tasks. */
type Choice = {
  readonly want: Want;
  /** Nodes that may take its tasks as far as fullness goes, in the order of their host names. */
  readonly candidates: readonly Candidate[];
  /** Set once a task found no place; no other will, since nodes only get fuller. */
  exhausted: boolean;
  /** The reason given to the first; kept because a thousand tasks may ask for the same. */
  explained: string | null;
};
type Candidate = {
  readonly seat: Seat;
  readonly failing: boolean;
  /** Wanted tasks of this service on it. */
  own: number;
};

function newChoice(
  service: Service,
  seats: readonly Seat[],
  failures: ReadonlyMap<string, number> | undefined,
): Choice {
  const constraints = parseConstraints(service.spec.constraints);
  const want = { service, constraints, hostPorts: hostPortsOf(service) };
  const candidates = seats
    .filter(({ node }) => takesTasks(node) && nodeMatches(constraints, node))
    .map((seat) => ({
      seat,
      failing: (failures?.get(seat.node.id) ?? 0) >= failuresThatCount,
      own: seat.tasksOf.get(service.id) ?? 0,
    }));
  return { want, candidates, exhausted: false, explained: null };
}

/**
 * Failures of each service's present version, per node. A rejection counts in full: what a node cannot run now it
 * cannot run in a second either.
 */
function recentFailures({ world, nowMs }: Changes): ReadonlyMap<string, ReadonlyMap<string, number>> {
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

function choose(choice: Choice, { task, outgoingNodeId }: Waiting): Candidate | null {
  // The task's own predecessor makes one node less full for it than for the others.
  if (choice.exhausted && outgoingNodeId === null && task.forNode === undefined) return null;
  let best: Candidate | null = null;
  let lowest = Number.POSITIVE_INFINITY;
  for (const candidate of choice.candidates) {
    const { node } = candidate.seat;
    if (task.forNode !== undefined && task.forNode !== node.id) continue;
    const load = loadOf(candidate, node.id === outgoingNodeId);
    // They come by host name, so that an equal one that comes later is not better.
    if (load >= lowest || fullness(candidate.seat, choice.want, outgoingNodeId) !== null) continue;
    best = candidate;
    lowest = load;
  }
  if (best === null && task.forNode === undefined) choice.exhausted = true;
  return best;
}

/** The three things a node is chosen by, as one number: failing, tasks of the service, tasks at all. */
function loadOf({ seat, failing, own }: Candidate, hasOutgoing: boolean): number {
  const less = hasOutgoing ? 1 : 0;
  return (failing ? 2 ** 50 : 0) + (own - less) * 2 ** 25 + (seat.tasks - less);
}

/** The first filter by which a node cannot take the task; null when it can. */
function unfit(seat: Seat, want: Want, outgoingNodeId: string | null): Filter | null {
  if (!takesTasks(seat.node)) return "ready";
  const full = fullness(seat, want, outgoingNodeId);
  if (full === "resources") return full;
  return nodeMatches(want.constraints, seat.node) ? full : "constraints";
}

/** The first filter that has to do with what is on the node. */
function fullness(seat: Seat, { service, hostPorts }: Want, outgoingNodeId: string | null): Filter | null {
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

function assign(task: Task, candidate: Candidate, want: Want, changes: Changes): void {
  const { seat } = candidate;
  candidate.own += 1;
  sit(seat, want.service, want.hostPorts, true);
  const message =
    task.forNode === undefined
      ? "scheduler assigned task to node"
      : "scheduler confirmed task can run on preassigned node";
  const assigned = changes.change(task, {
    nodeId: seat.node.id,
    state: "assigned",
    message,
    err: "",
    stateSinceMs: changes.nowMs,
  });
  changes.note("task.assign", assigned, `to ${seat.node.hostname}`);
}

/** Says why a task still waits; a reason already given is not given again. */
export function refuse(task: Task, err: string, changes: Changes): void {
  if (task.err === err) return;
  changes.note("task.pending", changes.change(task, { err }), err);
}

function explain(choice: Choice, { task, outgoingNodeId }: Waiting, seats: readonly Seat[]): string {
  const common = task.forNode === undefined && outgoingNodeId === null;
  if (common && choice.explained !== null) return choice.explained;
  const counts = new Map<Filter, number>();
  for (const seat of seats) {
    if (task.forNode !== undefined && task.forNode !== seat.node.id) continue;
    const filter = unfit(seat, choice.want, outgoingNodeId);
    if (filter !== null) counts.set(filter, (counts.get(filter) ?? 0) + 1);
  }
  const asked = Object.keys(filters) as Filter[];
  const parts = asked.flatMap((filter) => {
    const count = counts.get(filter);
    return count === undefined ? [] : filters[filter](count);
  });
  const text = parts.length === 0 ? "no suitable node" : `no suitable node (${parts.join("; ")})`;
  if (common) choice.explained = text;
  return text;
}

function nodes(count: number): string {
  return count === 1 ? "1 node" : `${count} nodes`;
}

/** First come, first served. */
function byTurn(a: Waiting, b: Waiting): number {
  return (
    a.task.createdAtMs - b.task.createdAtMs ||
    compare(a.service.spec.name, b.service.spec.name) ||
    a.task.slot - b.task.slot
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
