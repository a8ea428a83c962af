// The crowd: how full each node is.

import { compareStrings } from "../model/compare.ts";
import type { Constraint } from "../model/constraint.ts";
import type { MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isAlive, isWanted, type Task } from "../model/task.ts";
import type { World } from "../model/world.ts";

/** A node and what is on it. */
export type NodeInfo = {
  readonly node: MeshNode;
  /** Wanted tasks, of all services and of each. */
  tasks: number;
  readonly tasksOf: Map<string, number>;
  /** Wanted tasks per published port in host mode. */
  readonly hostPorts: Map<number, number>;
  /** Reserved by every task that lives, also one that is stopping: its memory is free only once it is gone. */
  nanoCpus: number;
  memoryBytes: number;
};

/** What a task asks of a node. */
export type TaskRequirements = {
  readonly service: Service;
  readonly constraints: readonly Constraint[];
  /** Published ports in host mode. */
  readonly hostPorts: readonly number[];
};

/** The seats of all nodes, in the order of their host names. */
export function nodeInfos({ nodes, services }: World, tasks: Iterable<Task>): readonly NodeInfo[] {
  const seats = new Map<string, NodeInfo>();
  for (const node of nodes.values()) {
    seats.set(node.id, {
      node,
      tasks: 0,
      tasksOf: new Map(),
      hostPorts: new Map(),
      nanoCpus: 0,
      memoryBytes: 0,
    });
  }
  const portsOf = new Map<string, readonly number[]>();
  for (const service of services.values()) portsOf.set(service.id, hostPortsOf(service));
  for (const task of tasks) {
    const seat = task.nodeId !== null && isAlive(task) ? seats.get(task.nodeId) : undefined;
    const service = services.get(task.serviceId);
    if (seat === undefined || service === undefined) continue;
    addTask(seat, service, portsOf.get(service.id) ?? [], isWanted(task));
  }
  return [...seats.values()].sort((a, b) => byHostname(a.node, b.node));
}

/** Counts one more task of the service on a node. */
export function addTask(
  seat: NodeInfo,
  service: Service,
  hostPorts: readonly number[],
  wanted: boolean,
): void {
  seat.nanoCpus += service.spec.reservations.nanoCpus;
  seat.memoryBytes += service.spec.reservations.memoryBytes;
  if (!wanted) return;
  seat.tasks += 1;
  seat.tasksOf.set(service.id, (seat.tasksOf.get(service.id) ?? 0) + 1);
  for (const port of hostPorts) seat.hostPorts.set(port, (seat.hostPorts.get(port) ?? 0) + 1);
}

/** The published ports a service has in host mode. */
export function hostPortsOf({ ports }: Service): readonly number[] {
  return ports.filter(({ mode }) => mode === "host").map(({ published }) => published);
}

function byHostname(a: MeshNode, b: MeshNode): number {
  return compareStrings(a.hostname, b.hostname) || compareStrings(a.id, b.id);
}
