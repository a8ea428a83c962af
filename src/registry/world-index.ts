// The index of the registry's world: which tasks each node and service has, and which entries have to be looked at
// whatever changes. It follows each change of the world, so that a change costs what it touches, not what the mesh
// has.

import type { Network } from "../domain/model/network.ts";
import {
  AddressPools,
  mayLackAddresses,
  mayLackVirtualIps,
  usedByService,
  usedByTask,
} from "../domain/model/network-addresses.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import { isPerNode, type Service } from "../domain/model/service.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { type NodeTasks, wantedOnNode } from "../domain/scheduler/node-info.ts";
import { NodeRanks } from "../domain/scheduler/node-ranks.ts";
import { isAwaitingRelease } from "./departures.ts";
import { SchedulableNodes, schedulableNode } from "./schedulable-nodes.ts";

/** The entries of a world by kind. */
export type Entities = {
  nodes: MeshNode;
  services: Service;
  tasks: Task;
  servers: StaticServer;
  networks: Network;
};

export class WorldIndex {
  readonly #tasksOfService = new Groups();
  readonly #tasksOfNode = new Groups();
  readonly #serversOfService = new Groups();
  readonly #servicesOfNetwork = new Groups();
  /** By node, how many of its tasks the scheduler wants. */
  readonly #wantedOnNode = new Map<string, number>();
  /** Ids of live tasks without a node. */
  readonly unplaced = new Set<string>();
  /** Ids of live tasks that wait for their release. */
  readonly departing = new Set<string>();
  /** Ids of services whose slots are nodes. */
  readonly global = new Set<string>();
  /** Ids of nodes with a report of discovered services, or with problems of one. */
  readonly reporters = new Set<string>();
  /** Ids of discovered services. */
  readonly discovered = new Set<string>();
  /** Ids of the nodes that the scheduler must not see as they are: those that leave, and balancers. */
  readonly unschedulable = new Set<string>();
  /** Ids of services and tasks that may lack an address on a network. */
  readonly unaddressed = { services: new Set<string>(), tasks: new Set<string>() };
  /** Null until the first address is needed. */
  #pools: AddressPools | null = null;
  /** Null until the first task is placed. */
  #ranks: NodeRanks | null = null;

  constructor({ nodes, services, tasks, servers }: World) {
    for (const node of nodes.values()) this.replace("nodes", undefined, node);
    for (const service of services.values()) this.replace("services", undefined, service);
    for (const task of tasks.values()) this.replace("tasks", undefined, task);
    for (const server of servers.values()) this.replace("servers", undefined, server);
  }

  /** The tasks of a service, also of one that was removed. */
  tasksOfService(world: World, serviceId: string): Task[] {
    return entriesOf(world.tasks, this.#tasksOfService.of(serviceId));
  }

  /** The tasks of a node, also of one that was removed. */
  tasksOfNode(world: World, nodeId: string): readonly Task[] {
    return entriesOf(world.tasks, this.#tasksOfNode.of(nodeId));
  }

  serversOfService(world: World, serviceId: string): readonly Entities["servers"][] {
    return entriesOf(world.servers, this.#serversOfService.of(serviceId));
  }

  /** The services of a network, the oldest first. */
  servicesOfNetwork(world: World, networkId: string): readonly Service[] {
    const services = entriesOf(world.services, this.#servicesOfNetwork.of(networkId));
    return services.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  /** The tasks of each node, for the scheduler. */
  nodeTasks(world: World): NodeTasks {
    return {
      wantedOn: (nodeId) => this.#wantedOf(nodeId),
      tasksOn: (nodeId) => this.tasksOfNode(world, nodeId),
    };
  }

  /** The ranks of the nodes, as the scheduler may see them. */
  nodeRanks({ nodes }: World): NodeRanks {
    this.#ranks ??= new NodeRanks(new SchedulableNodes(nodes, this.unschedulable).values(), (nodeId) =>
      this.#wantedOf(nodeId),
    );
    return this.#ranks;
  }

  /** The addresses in use on each network. */
  addressPools(world: World): AddressPools {
    this.#pools ??= new AddressPools(world);
    return this.#pools;
  }

  /** Follows a change of one entry; undefined: it does not exist. */
  replace<K extends keyof Entities>(
    kind: K,
    before: Entities[K] | undefined,
    after: Entities[K] | undefined,
  ): void {
    const id = (after ?? before)?.id ?? "";
    if (kind === "tasks") this.#replaceTask(id, before as Task | undefined, after as Task | undefined);
    else if (kind === "nodes") this.#replaceNode(id, after as MeshNode | undefined);
    else if (kind === "services")
      this.#replaceService(id, before as Service | undefined, after as Service | undefined);
    else if (kind === "servers") {
      const [old, server] = [before, after] as (StaticServer | undefined)[];
      this.#serversOfService.move(id, old?.serviceId, server?.serviceId);
    } else this.#pools = null;
  }

  #replaceNode(id: string, node: MeshNode | undefined): void {
    mark(this.reporters, id, (node?.discovery ?? node?.discoveryProblems) !== undefined);
    const seen = node && schedulableNode(node);
    mark(this.unschedulable, id, node !== seen);
    if (seen) this.#ranks?.put(seen, this.#wantedOf(id));
    else this.#ranks?.remove(id);
  }

  #replaceService(id: string, before: Service | undefined, after: Service | undefined): void {
    mark(this.global, id, after !== undefined && isPerNode(after.spec.mode));
    mark(this.discovered, id, after?.discovered !== undefined);
    mark(this.unaddressed.services, id, after !== undefined && mayLackVirtualIps(after));
    for (const { target } of before?.spec.networks ?? []) this.#servicesOfNetwork.move(id, target, undefined);
    for (const { target } of after?.spec.networks ?? []) this.#servicesOfNetwork.move(id, undefined, target);
    if (before !== undefined) this.#pools?.release(usedByService(before));
    if (after !== undefined) this.#pools?.take(usedByService(after));
  }

  #replaceTask(id: string, before: Task | undefined, after: Task | undefined): void {
    this.#tasksOfService.move(id, before?.serviceId, after?.serviceId);
    this.#tasksOfNode.move(id, before?.nodeId ?? undefined, after?.nodeId ?? undefined);
    this.#countWanted(before, -1);
    this.#countWanted(after, 1);
    mark(this.unplaced, id, after !== undefined && after.nodeId === null && isAlive(after));
    mark(this.departing, id, after !== undefined && isAlive(after) && isAwaitingRelease(after));
    mark(this.unaddressed.tasks, id, after !== undefined && mayLackAddresses(after));
    const isSame = before?.addresses === after?.addresses && before?.state === after?.state;
    if (this.#pools === null || isSame) return;
    if (before !== undefined) this.#pools.release(usedByTask(before));
    if (after !== undefined) this.#pools.take(usedByTask(after));
  }

  #wantedOf(nodeId: string): number {
    return this.#wantedOnNode.get(nodeId) ?? 0;
  }

  #countWanted(task: Task | undefined, by: number): void {
    const nodeId = wantedOnNode(task);
    if (nodeId === null) return;
    const count = this.#wantedOf(nodeId) + by;
    if (count === 0) this.#wantedOnNode.delete(nodeId);
    else this.#wantedOnNode.set(nodeId, count);
    this.#ranks?.setTasks(nodeId, count);
  }
}

/** Ids in groups. */
class Groups {
  readonly #idsOf = new Map<string, Set<string>>();

  of(group: string): ReadonlySet<string> {
    return this.#idsOf.get(group) ?? noIds;
  }

  /** Moves an id from one group to another; undefined: it is in no group. */
  move(id: string, from: string | undefined, to: string | undefined): void {
    if (from === to) return;
    const left = from === undefined ? undefined : this.#idsOf.get(from);
    left?.delete(id);
    if (from !== undefined && left?.size === 0) this.#idsOf.delete(from);
    if (to === undefined) return;
    const joined = this.#idsOf.get(to);
    if (joined === undefined) this.#idsOf.set(to, new Set([id]));
    else joined.add(id);
  }
}

const noIds: ReadonlySet<string> = new Set();

function mark(set: Set<string>, id: string, isIn: boolean): void {
  if (isIn) set.add(id);
  else set.delete(id);
}

/** The entries with these ids; one that does not exist is left out. */
export function entriesOf<V>(all: ReadonlyMap<string, V>, ids: Iterable<string>): V[] {
  const entries: V[] = [];
  for (const id of ids) {
    const entry = all.get(id);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}
