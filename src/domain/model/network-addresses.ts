// The allocation of addresses on networks to services and tasks.

import {
  ipv4Text,
  type Network,
  type NetworkAddress,
  networksOf,
  readIpv4,
  requireSubnet,
  type Subnet,
  sizeOf,
} from "./network.ts";
import type { Service } from "./service.ts";
import { isAlive, type Task } from "./task.ts";
import type { World } from "./world.ts";

/** The services and tasks of a change of addresses. */
export type Addressed = { readonly services: Iterable<Service>; readonly tasks: Iterable<Task> };

/**
 * Those of some services and tasks that lack addresses, with them, as far as their networks have free ones. A service
 * has a virtual address on each of its networks, a live task an address of its own. An address that is in use never
 * changes. A new one lies after the highest in use, so that it was free for as long as possible: a client may still
 * have an old answer. A task of a full network gets no address there; it gets one when another task ends.
 *
 * @param pools the addresses in use; called for each one that is needed, and always the same
 * @see docs/spec.md M154, M155, and the property test in test/property/domain/model/
 */
export function missingAddresses(
  world: World,
  { services, tasks }: Addressed,
  pools: () => AddressPools,
): { readonly services: readonly Service[]; readonly tasks: readonly Task[] } {
  const changed = <T>(items: Iterable<T>, change: (item: T) => T): readonly T[] => {
    const found: T[] = [];
    for (const item of items) {
      const next = change(item);
      if (next !== item) found.push(next);
    }
    return found;
  };
  return {
    services: changed(services, (service) => withVirtualIps(service, world, pools)),
    tasks: changed(tasks, (task) => withAddresses(task, world, pools)),
  };
}

/** True if a service may lack an address. */
export function mayLackVirtualIps({ spec, discovered, virtualIps = [] }: Service): boolean {
  if (discovered !== undefined || spec.endpointMode === "dnsrr") return virtualIps.length > 0;
  const isPublished = spec.ports.some(({ mode }) => mode === "ingress");
  return virtualIps.length !== (spec.networks ?? []).length + (isPublished ? 1 : 0);
}

/** True if a task may lack an address. */
export function mayLackAddresses(task: Task): boolean {
  return task.addresses === undefined && isAlive(task) && !task.discovered;
}

function withVirtualIps(service: Service, { networks }: World, pools: () => AddressPools): Service {
  const present = service.virtualIps ?? [];
  const wanted = service.spec.endpointMode === "dnsrr" ? [] : networksOf(service, networks);
  const wantedIds = wanted.map(({ id }) => id);
  if (hasExactly(present, wantedIds)) return service;
  const virtualIps = attach(present, wanted, pools);
  const ids = virtualIps.map(({ networkId }) => networkId);
  // A full network may have nothing to give.
  return hasExactly(present, ids) ? service : { ...service, virtualIps };
}

/** Only a task that is new gets addresses: an update of the networks replaces the tasks. */
function withAddresses(task: Task, { networks, services }: World, pools: () => AddressPools): Task {
  if (!mayLackAddresses(task)) return task;
  const service = services.get(task.serviceId);
  if (service === undefined) return task;
  const wanted = networksOf(service, networks);
  const addresses = attach([], wanted, pools);
  if (addresses.length === wanted.length) return { ...task, addresses };
  pools().release(addresses);
  return task;
}

function attach(
  present: readonly NetworkAddress[],
  wanted: readonly Network[],
  pools: () => AddressPools,
): readonly NetworkAddress[] {
  return wanted.flatMap((network) => {
    const kept = present.find(({ networkId }) => networkId === network.id);
    const address = kept?.address ?? pools().next(network);
    return address === null ? [] : [{ networkId: network.id, address }];
  });
}

function hasExactly(present: readonly NetworkAddress[], ids: readonly string[]): boolean {
  return present.length === ids.length && ids.every((id, at) => present[at]?.networkId === id);
}

type Pool = { readonly subnet: Subnet; readonly taken: Set<number>; highest: number };

/** The addresses of each network that are in use. Follows the changes of services and tasks. */
export class AddressPools {
  readonly #pools = new Map<string, Pool>();

  constructor({ networks, services, tasks }: World) {
    for (const { id, subnet, gateway } of networks.values()) {
      const ip = readIpv4(gateway) ?? 0;
      this.#pools.set(id, { subnet: requireSubnet(subnet), taken: new Set([ip]), highest: ip });
    }
    for (const service of services.values()) this.take(usedByService(service));
    for (const task of tasks.values()) this.take(usedByTask(task));
  }

  /** A free address, which is in use from now on; null: the network is full. */
  next({ id }: Network): string | null {
    const pool = this.#pools.get(id);
    if (pool === undefined) return null;
    const { subnet, taken, highest } = pool;
    // Without the address of the network itself and that of broadcasts.
    const size = sizeOf(subnet.prefixBits) - 2;
    if (taken.size >= size) return null;
    for (let tried = 0; tried < size; tried += 1) {
      const ip = subnet.first + 1 + ((highest - subnet.first + tried) % size);
      if (taken.has(ip)) continue;
      taken.add(ip);
      pool.highest = Math.max(highest, ip);
      return `${ipv4Text(ip)}/${subnet.prefixBits}`;
    }
    return null;
  }

  take(addresses: readonly NetworkAddress[]): void {
    for (const { networkId, address } of addresses) {
      const pool = this.#pools.get(networkId);
      if (pool === undefined) continue;
      const ip = ipOf(address);
      pool.taken.add(ip);
      pool.highest = Math.max(pool.highest, ip);
    }
  }

  release(addresses: readonly NetworkAddress[]): void {
    for (const { networkId, address } of addresses) {
      const pool = this.#pools.get(networkId);
      if (pool === undefined) continue;
      pool.taken.delete(ipOf(address));
      while (!pool.taken.has(pool.highest) && pool.highest > pool.subnet.first) pool.highest -= 1;
    }
  }
}

export function usedByService({ virtualIps = [] }: Service): readonly NetworkAddress[] {
  return virtualIps;
}

/** A dead task uses none: another one may have its address already. */
export function usedByTask(task: Task): readonly NetworkAddress[] {
  return isAlive(task) ? (task.addresses ?? []) : [];
}

/** The 32 bits of `10.0.1.5/20`. */
function ipOf(address: string): number {
  return readIpv4(address.split("/")[0] ?? "") ?? 0;
}
