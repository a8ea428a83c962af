// The names on networks, as nodes get them: which services and tasks are on each network, and the keys by which its
// nodes reach each other's tasks. A node gets those of the networks that its own tasks are on, and no others.

import { createHash, createHmac } from "node:crypto";
import { tableGateway } from "../domain/compile/compile-table.ts";
import { isNodeDown } from "../domain/model/node.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { networkKeyText } from "../gateway/attempt.ts";
import type { NamedNetwork, NamedService, NetworkPeer, SentNodeKey } from "../protocol/agent.ts";
import type { MeshKey } from "./gateway-keys.ts";
import type { WorldIndex } from "./world-index.ts";

/** The keys of the mesh, and the id of the one that attempts are signed with. */
export type MeshKeys = { readonly keys: readonly MeshKey[]; readonly signing: string | null };

/** The members of a network, the same for each of them. */
export type Membership = {
  readonly services: readonly NamedService[];
  /** Ids of the nodes with live tasks on it, ascending. */
  readonly nodeIds: readonly string[];
};

/**
 * The networks of a node, for its assignment.
 *
 * @param index of the world
 * @see docs/spec.md M160-M164, docs/decisions/0114-names-across-nodes.md
 */
export function namedNetworks(
  world: World,
  index: WorldIndex,
  nodeId: string,
  keys: MeshKeys,
): NamedNetwork[] {
  return networksOfNode(world, index, nodeId).map((id) => {
    const { services, nodeIds } = membership(world, index, id);
    return {
      id,
      services: [...services],
      peers: nodeIds
        .filter((peerId) => peerId !== nodeId)
        .flatMap((peerId) => peerOf(world, { networkId: id, nodeId, peerId }, keys) ?? []),
    };
  });
}

/** Ids of the networks that live tasks of a node are on, ascending. */
export function networksOfNode(world: World, index: WorldIndex, nodeId: string): readonly string[] {
  const tasks = index.tasksOfNode(world, nodeId).filter(isAlive);
  return [...new Set(tasks.flatMap(({ serviceId }) => networksOfService(world, serviceId)))].sort();
}

/** True if two nodes have tasks on one network, so that one may send the other attempts. */
export function shareNetwork(world: World, index: WorldIndex, nodeId: string, otherId: string): boolean {
  const others = new Set(networksOfNode(world, index, otherId));
  return networksOfNode(world, index, nodeId).some((id) => others.has(id));
}

/** Ids of the networks of a service that exist; none for a service that was removed. */
export function networksOfService({ services, networks }: World, serviceId: string): readonly string[] {
  const attached = services.get(serviceId)?.spec.networks ?? [];
  return attached.flatMap(({ target }) => (networks.has(target) ? [target] : []));
}

const known = new WeakMap<World, Map<string, Membership>>();

/** The members of a network. Worlds do not change, so that each network of one is read once. */
export function membership(world: World, index: WorldIndex, networkId: string): Membership {
  const present = known.get(world) ?? new Map<string, Membership>();
  known.set(world, present);
  const made = present.get(networkId) ?? readMembership(world, index, networkId);
  present.set(networkId, made);
  return made;
}

function readMembership(world: World, index: WorldIndex, networkId: string): Membership {
  const services: NamedService[] = [];
  const nodeIds = new Set<string>();
  for (const { id, spec, virtualIps = [] } of index.servicesOfNetwork(world, networkId)) {
    const tasks = placedTasks(world, index, id);
    for (const { nodeId } of tasks) nodeIds.add(nodeId);
    const aliases = spec.networks?.find(({ target }) => target === networkId)?.aliases ?? [];
    const virtualIp = virtualIps.find((address) => address.networkId === networkId)?.address;
    services.push({
      names: [...new Set([spec.name, ...aliases])],
      virtualIp: virtualIp === undefined ? null : withoutPrefix(virtualIp),
      tasks: usableTasks(world, tasks).flatMap((task) => namedTask(task, networkId)),
    });
  }
  return { services, nodeIds: [...nodeIds].sort() };
}

/** The live tasks of a service that have a node, in the order of their ids. */
function placedTasks(world: World, index: WorldIndex, serviceId: string): readonly PlacedTask[] {
  return index
    .tasksOfService(world, serviceId)
    .filter(isPlaced)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

type PlacedTask = Task & { readonly nodeId: string };

/** True if a task is alive on a node, which is then a member of its networks. */
export function isPlaced(task: Task): task is PlacedTask {
  return task.nodeId !== null && isAlive(task);
}

/** The tasks that take connections; those on nodes that are down only if there are no others. */
function usableTasks({ nodes }: World, tasks: readonly PlacedTask[]): readonly PlacedTask[] {
  const usable = tasks.filter(takesConnections);
  const onLiveNodes = usable.filter(({ nodeId }) => {
    const node = nodes.get(nodeId);
    return node !== undefined && !isNodeDown(node);
  });
  return onLiveNodes.length > 0 ? onLiveNodes : usable;
}

export function takesConnections({ desired, state, admin, health }: Task): boolean {
  const isHealthy = health === null || health.verdict === "healthy";
  return desired === "running" && state === "running" && admin === undefined && isHealthy;
}

function namedTask(task: PlacedTask, networkId: string): NamedService["tasks"] {
  const address = task.addresses?.find((own) => own.networkId === networkId)?.address;
  if (address === undefined) return [];
  return [{ id: task.id, nodeId: task.nodeId, address: withoutPrefix(address), ports: portsOf(task) }];
}

/** The ports that a task accepts connections at, ascending. */
export function portsOf({ openPorts, endpoints }: Task): number[] {
  const targets = endpoints.map(({ target }) => target);
  return [...new Set([...(openPorts ?? []), ...targets])].sort((a, b) => a - b);
}

function peerOf(
  { nodes }: World,
  { networkId, nodeId, peerId }: { networkId: string; nodeId: string; peerId: string },
  { keys, signing }: MeshKeys,
): NetworkPeer | null {
  const node = nodes.get(peerId);
  const signingKey = keys.find(({ id }) => id === signing) ?? keys[0];
  if (node === undefined || signingKey === undefined) return null;
  return {
    nodeId: peerId,
    gateway: tableGateway(node),
    dial: networkKey(signingKey, networkId, nodeId, peerId),
    accept: keys.map((key) => networkKey(key, networkId, peerId, nodeId)),
  };
}

/** Both nodes get the key, and no other. Its id names network and sender without revealing a secret. */
function networkKey({ id, secret }: MeshKey, networkId: string, from: string, to: string): SentNodeKey {
  const name = createHash("sha256").update(`${id} ${networkId} ${from}`).digest("base64url");
  return {
    id: `n-${name.slice(0, 22)}`,
    key: createHmac("sha256", secret)
      .update(networkKeyText(networkId, from, to))
      .digest("base64url"),
  };
}

/** `10.0.1.5` of `10.0.1.5/20`. */
function withoutPrefix(address: string): string {
  return address.split("/")[0] ?? "";
}
