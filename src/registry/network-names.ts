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

/** The keys of the mesh, and the id of the one that attempts are signed with. */
export type MeshKeys = { readonly keys: readonly MeshKey[]; readonly signing: string | null };

/** A network with its members, the same for each of them. */
type Membership = {
  readonly services: readonly NamedService[];
  /** Ids of the nodes with live tasks on it, ascending. */
  readonly nodeIds: readonly string[];
};

/**
 * The networks of a node, for its assignment.
 *
 * @see docs/spec.md M160-M164, docs/decisions/0114-names-across-nodes.md
 */
export function namedNetworks(world: World, nodeId: string, keys: MeshKeys): NamedNetwork[] {
  return [...memberships(world)]
    .filter(([, { nodeIds }]) => nodeIds.includes(nodeId))
    .map(([id, { services, nodeIds }]) => ({
      id,
      services: [...services],
      peers: nodeIds
        .filter((peerId) => peerId !== nodeId)
        .flatMap((peerId) => peerOf(world, { networkId: id, nodeId, peerId }, keys) ?? []),
    }));
}

/** The nodes whose networks differ between two worlds. */
export function nodesOfChangedNetworks(before: World, after: World): ReadonlySet<string> {
  const nodeIds = new Set<string>();
  if (hasSameParts(before, after)) return nodeIds;
  const [old, current] = [memberships(before), memberships(after)];
  for (const [id, member] of current) {
    if (fingerprint(before, old.get(id)) === fingerprint(after, member)) continue;
    for (const nodeId of member.nodeIds) nodeIds.add(nodeId);
  }
  for (const [id, member] of old) {
    // A node whose last task has left must lose the keys.
    const left = current.get(id)?.nodeIds ?? [];
    for (const nodeId of member.nodeIds) if (!left.includes(nodeId)) nodeIds.add(nodeId);
  }
  return nodeIds;
}

/** True if two nodes have tasks on one network, so that one may send the other attempts. */
export function shareNetwork(world: World, nodeId: string, otherId: string): boolean {
  return [...memberships(world).values()].some(
    ({ nodeIds }) => nodeIds.includes(nodeId) && nodeIds.includes(otherId),
  );
}

const known = new WeakMap<World, ReadonlyMap<string, Membership>>();

/** By the id of the network. Worlds do not change, so that each is read once. */
function memberships(world: World): ReadonlyMap<string, Membership> {
  const present = known.get(world);
  if (present !== undefined) return present;
  const made = readMemberships(world);
  known.set(world, made);
  return made;
}

function readMemberships(world: World): ReadonlyMap<string, Membership> {
  const services = [...world.services.values()].filter(({ spec }) => (spec.networks ?? []).length > 0);
  const tasks = tasksOf(world, new Set(services.map(({ id }) => id)));
  const found = new Map<string, { services: NamedService[]; nodeIds: Set<string> }>();
  for (const { id, spec, virtualIps = [] } of services) {
    for (const { target: networkId, aliases } of spec.networks ?? []) {
      if (!world.networks.has(networkId)) continue;
      const member = found.get(networkId) ?? { services: [], nodeIds: new Set() };
      found.set(networkId, member);
      const own = tasks.get(id) ?? [];
      for (const { nodeId } of own) if (nodeId !== null) member.nodeIds.add(nodeId);
      const virtualIp = virtualIps.find((address) => address.networkId === networkId)?.address;
      member.services.push({
        names: [...new Set([spec.name, ...aliases])],
        virtualIp: virtualIp === undefined ? null : withoutPrefix(virtualIp),
        tasks: usableTasks(world, own).flatMap((task) => namedTask(task, networkId)),
      });
    }
  }
  return new Map(
    [...found]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, member]) => [id, { services: member.services, nodeIds: [...member.nodeIds].sort() }]),
  );
}

/** The placed live tasks of some services, by service and in the order of their ids. */
function tasksOf({ tasks }: World, serviceIds: ReadonlySet<string>): ReadonlyMap<string, readonly Task[]> {
  const found = new Map<string, Task[]>();
  if (serviceIds.size === 0) return found;
  for (const task of tasks.values()) {
    if (!serviceIds.has(task.serviceId) || task.nodeId === null || !isAlive(task)) continue;
    found.set(task.serviceId, [...(found.get(task.serviceId) ?? []), task]);
  }
  for (const list of found.values()) list.sort((a, b) => (a.id < b.id ? -1 : 1));
  return found;
}

/** The tasks that take connections; those on nodes that are down only if there are no others. */
function usableTasks({ nodes }: World, tasks: readonly Task[]): readonly Task[] {
  const usable = tasks.filter(takesConnections);
  const onLiveNodes = usable.filter(({ nodeId }) => {
    const node = nodes.get(nodeId ?? "");
    return node !== undefined && !isNodeDown(node);
  });
  return onLiveNodes.length > 0 ? onLiveNodes : usable;
}

function takesConnections({ desired, state, admin, health }: Task): boolean {
  const isHealthy = health === null || health.verdict === "healthy";
  return desired === "running" && state === "running" && admin === undefined && isHealthy;
}

function namedTask(task: Task, networkId: string): NamedService["tasks"] {
  const address = task.addresses?.find((own) => own.networkId === networkId)?.address;
  if (address === undefined || task.nodeId === null) return [];
  const targets = task.endpoints.map(({ target }) => target);
  const ports = [...new Set([...(task.openPorts ?? []), ...targets])].sort((a, b) => a - b);
  return [{ id: task.id, nodeId: task.nodeId, address: withoutPrefix(address), ports }];
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

/** What the assignments of a network's nodes depend on, apart from keys. */
function fingerprint({ nodes }: World, member: Membership | undefined): string {
  if (member === undefined) return "";
  const gateways = member.nodeIds.map((id) => {
    const node = nodes.get(id);
    return node === undefined ? null : tableGateway(node);
  });
  return JSON.stringify([member, gateways]);
}

function hasSameParts(before: World, after: World): boolean {
  return (
    before.nodes === after.nodes &&
    before.services === after.services &&
    before.tasks === after.tasks &&
    before.networks === after.networks
  );
}

/** `10.0.1.5` of `10.0.1.5/20`. */
function withoutPrefix(address: string): string {
  return address.split("/")[0] ?? "";
}
