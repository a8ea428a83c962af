// Node info: a node and the tasks and reservations it already has, by which the scheduler chooses.

import { compareStrings } from "../model/compare.ts";
import type { Constraint } from "../model/constraint.ts";
import type { MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isAlive, isWanted, type Task } from "../model/task.ts";
import type { World } from "../model/world.ts";

/** Mutable: placing a task adds it to its node. */
export type NodeInfo = {
  readonly node: MeshNode;
  /** Wanted tasks of all services. */
  tasks: number;
  /** Wanted tasks by service id. */
  readonly tasksOf: Map<string, number>;
  /** Wanted tasks by published host-mode port. */
  readonly hostPorts: Map<number, number>;
  /**
   * Reservations of all live tasks, including stopping ones: their resources are free only once they are
   * dead.
   */
  nanoCpus: number;
  memoryBytes: number;
  /** Units by kind of generic resource. */
  readonly generic: Map<string, number>;
};

/** What a service's tasks require of a node. */
export type TaskRequirements = {
  readonly service: Service;
  readonly constraints: readonly Constraint[];
  /** Published host-mode ports. */
  readonly hostPorts: readonly number[];
};

/** The infos of all nodes, ascending by host name. */
export function nodeInfos({ nodes, services }: World, tasks: Iterable<Task>): readonly NodeInfo[] {
  const infos = new Map([...nodes.values()].map((node) => [node.id, emptyNodeInfo(node)]));
  const hostPorts = new Map([...services.values()].map((service) => [service.id, hostPortsOf(service)]));
  for (const task of tasks) {
    const info = task.nodeId !== null && isAlive(task) ? infos.get(task.nodeId) : undefined;
    const service = services.get(task.serviceId);
    if (info === undefined || service === undefined) continue;
    addTask(info, service, hostPorts.get(service.id) ?? [], isWanted(task));
  }
  return [...infos.values()].sort((a, b) => byHostname(a.node, b.node));
}

function emptyNodeInfo(node: MeshNode): NodeInfo {
  return {
    node,
    tasks: 0,
    tasksOf: new Map(),
    hostPorts: new Map(),
    nanoCpus: 0,
    memoryBytes: 0,
    generic: new Map(),
  };
}

/** Adds one live task of a service to a node; an unwanted task counts only by its reservations. */
export function addTask(
  info: NodeInfo,
  service: Service,
  hostPorts: readonly number[],
  isWantedTask: boolean,
): void {
  info.nanoCpus += service.spec.reservations.nanoCpus;
  info.memoryBytes += service.spec.reservations.memoryBytes;
  for (const [kind, count] of Object.entries(service.spec.reservations.generic ?? {})) {
    info.generic.set(kind, (info.generic.get(kind) ?? 0) + count);
  }
  if (!isWantedTask) return;
  info.tasks += 1;
  info.tasksOf.set(service.id, (info.tasksOf.get(service.id) ?? 0) + 1);
  for (const port of hostPorts) info.hostPorts.set(port, (info.hostPorts.get(port) ?? 0) + 1);
}

/** The ports a service publishes in host mode. */
export function hostPortsOf({ ports }: Service): readonly number[] {
  return ports.filter(({ mode }) => mode === "host").map(({ published }) => published);
}

function byHostname(a: MeshNode, b: MeshNode): number {
  return compareStrings(a.hostname, b.hostname) || compareStrings(a.id, b.id);
}
