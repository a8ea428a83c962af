// Node info: a node and the tasks and reservations it already has, by which the scheduler chooses.

import type { Constraint } from "../model/constraint.ts";
import type { MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isAlive, isWanted, type Task } from "../model/task.ts";
import type { World } from "../model/world.ts";

/** The tasks of each node, as they are now. */
export type NodeTasks = {
  /** How many tasks of a node are wanted. */
  wantedOn(nodeId: string): number;
  /** The placed tasks of a node, dead ones too. */
  tasksOn(nodeId: string): Iterable<Task>;
};

/** The node on which a task is wanted by the scheduler; null if it is on none, or is discovered. */
export function wantedOnNode(task: Task | undefined): string | null {
  return task !== undefined && isWanted(task) && !task.discovered ? task.nodeId : null;
}

/** The tasks of each node, read from all tasks. */
export function nodeTasksOf(tasks: Iterable<Task>): NodeTasks {
  const placed = new Map<string, Task[]>();
  const wanted = new Map<string, number>();
  for (const task of tasks) {
    if (task.nodeId === null) continue;
    const list = placed.get(task.nodeId);
    if (list === undefined) placed.set(task.nodeId, [task]);
    else list.push(task);
    if (wantedOnNode(task) !== null) wanted.set(task.nodeId, (wanted.get(task.nodeId) ?? 0) + 1);
  }
  return {
    wantedOn: (nodeId) => wanted.get(nodeId) ?? 0,
    tasksOn: (nodeId) => placed.get(nodeId) ?? [],
  };
}

/** What the live tasks of a node take of it. */
type NodeUse = {
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

/** A node for the scheduler. Mutable: placing a task adds it to its node. */
export class NodeInfo {
  readonly node: MeshNode;
  /** Wanted tasks of all services. */
  tasks: number;
  readonly #services: World["services"];
  readonly #nodeTasks: NodeTasks;
  #use: NodeUse | null = null;

  constructor(node: MeshNode, services: World["services"], nodeTasks: NodeTasks) {
    this.node = node;
    this.tasks = nodeTasks.wantedOn(node.id);
    this.#services = services;
    this.#nodeTasks = nodeTasks;
  }

  /** Read from its tasks when it is first needed: of most nodes the scheduler only needs how many they are. */
  get use(): NodeUse {
    if (this.#use !== null) return this.#use;
    const use: NodeUse = {
      tasksOf: new Map(),
      hostPorts: new Map(),
      nanoCpus: 0,
      memoryBytes: 0,
      generic: new Map(),
    };
    for (const task of this.#nodeTasks.tasksOn(this.node.id)) {
      const service = this.#services.get(task.serviceId);
      if (service !== undefined && isAlive(task) && !task.discovered) addUse(use, service, isWanted(task));
    }
    this.#use = use;
    return use;
  }

  /** Adds a wanted task of a service. */
  add(service: Service): void {
    addUse(this.use, service, true);
    this.tasks += 1;
  }
}

/** What a service's tasks require of a node. */
export type TaskRequirements = {
  readonly service: Service;
  readonly constraints: readonly Constraint[];
  /** Published host-mode ports. */
  readonly hostPorts: readonly number[];
};

/** The infos of a world's nodes, each made when it is first needed. */
export class NodeInfos {
  readonly #world: World;
  readonly #nodeTasks: NodeTasks;
  readonly #infos = new Map<string, NodeInfo>();

  constructor(world: World, nodeTasks: NodeTasks) {
    this.#world = world;
    this.#nodeTasks = nodeTasks;
  }

  of(node: MeshNode): NodeInfo {
    const known = this.#infos.get(node.id);
    if (known !== undefined) return known;
    const info = new NodeInfo(node, this.#world.services, this.#nodeTasks);
    this.#infos.set(node.id, info);
    return info;
  }

  /** The info of one node, if there is such a node. */
  only(nodeId: string): readonly NodeInfo[] {
    const node = this.#world.nodes.get(nodeId);
    return node === undefined ? [] : [this.of(node)];
  }

  all(): readonly NodeInfo[] {
    return Array.from(this.#world.nodes.values(), (node) => this.of(node));
  }
}

/** An unwanted task counts only by its reservations. */
function addUse(use: NodeUse, service: Service, isWantedTask: boolean): void {
  const { nanoCpus, memoryBytes, generic } = service.spec.reservations;
  use.nanoCpus += nanoCpus;
  use.memoryBytes += memoryBytes;
  for (const [kind, count] of Object.entries(generic ?? {})) {
    use.generic.set(kind, (use.generic.get(kind) ?? 0) + count);
  }
  if (!isWantedTask) return;
  use.tasksOf.set(service.id, (use.tasksOf.get(service.id) ?? 0) + 1);
  for (const port of hostPortsOf(service)) use.hostPorts.set(port, (use.hostPorts.get(port) ?? 0) + 1);
}

/** The ports a service publishes in host mode. */
export function hostPortsOf({ ports }: Service): readonly number[] {
  return ports.filter(({ mode }) => mode === "host").map(({ published }) => published);
}
