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

/**
 * Gives every service a virtual address on each of its networks, and every live task an address of its own. An
 * address that is in use never changes. A new one lies after the highest in use, so that it was free for as long
 * as possible: a client may still have an old answer. A task of a full network gets no address there; it gets one
 * when another task ends.
 *
 * @returns the same world if nothing is missing
 * @see docs/spec.md M154, M155, and the property test in test/property/domain/model/
 */
export function allocateAddresses(world: World): World {
  const pools = new Pools(world);
  const services = changed(world.services, (service) => withVirtualIps(service, world, pools));
  const tasks = changed(world.tasks, (task) => withAddresses(task, world, pools));
  return services === world.services && tasks === world.tasks ? world : { ...world, services, tasks };
}

function withVirtualIps(service: Service, { networks }: World, pools: Pools): Service {
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
function withAddresses(task: Task, { networks, services }: World, pools: Pools): Task {
  if (task.addresses !== undefined || !isAlive(task)) return task;
  const service = services.get(task.serviceId);
  if (service === undefined) return task;
  const wanted = networksOf(service, networks);
  const addresses = attach([], wanted, pools);
  return addresses.length < wanted.length ? task : { ...task, addresses };
}

function attach(
  present: readonly NetworkAddress[],
  wanted: readonly Network[],
  pools: Pools,
): readonly NetworkAddress[] {
  return wanted.flatMap((network) => {
    const kept = present.find(({ networkId }) => networkId === network.id);
    const address = kept?.address ?? pools.next(network);
    return address === null ? [] : [{ networkId: network.id, address }];
  });
}

function hasExactly(present: readonly NetworkAddress[], ids: readonly string[]): boolean {
  return present.length === ids.length && ids.every((id, at) => present[at]?.networkId === id);
}

function changed<T extends { readonly id: string }>(
  before: ReadonlyMap<string, T>,
  change: (item: T) => T,
): ReadonlyMap<string, T> {
  let copy: Map<string, T> | null = null;
  for (const [id, item] of before) {
    const next = change(item);
    if (next === item) continue;
    copy ??= new Map(before);
    copy.set(id, next);
  }
  return copy ?? before;
}

type Pool = { readonly subnet: Subnet; readonly taken: Set<number>; next: number };

/** The free addresses of each network; the world is read only when the first one is needed. */
class Pools {
  readonly #world: World;
  #pools: ReadonlyMap<string, Pool> | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  /** Null: the network is full. */
  next({ id }: Network): string | null {
    this.#pools ??= poolsOf(this.#world);
    const pool = this.#pools.get(id);
    if (pool === undefined) return null;
    const { subnet, taken } = pool;
    // Without the address of the network itself and that of broadcasts.
    const size = sizeOf(subnet.prefixBits) - 2;
    for (let tried = 0; tried < size; tried += 1) {
      const ip = subnet.first + 1 + ((pool.next - subnet.first - 1 + tried) % size);
      if (taken.has(ip)) continue;
      taken.add(ip);
      pool.next = ip + 1;
      return `${ipv4Text(ip)}/${subnet.prefixBits}`;
    }
    return null;
  }
}

function poolsOf({ networks, services, tasks }: World): ReadonlyMap<string, Pool> {
  const pools = new Map(
    [...networks.values()].map(({ id, subnet, gateway }) => {
      const taken = new Set([readIpv4(gateway) ?? 0]);
      return [id, { subnet: requireSubnet(subnet), taken, next: 0 }];
    }),
  );
  const take = (addresses: readonly NetworkAddress[] = []): void => {
    for (const { networkId, address } of addresses) pools.get(networkId)?.taken.add(ipOf(address));
  };
  for (const { virtualIps } of services.values()) take(virtualIps);
  for (const task of tasks.values()) if (isAlive(task)) take(task.addresses);
  for (const pool of pools.values()) pool.next = highestOf(pool.taken) + 1;
  return pools;
}

/** The 32 bits of `10.0.1.5/20`. */
function ipOf(address: string): number {
  return readIpv4(address.split("/")[0] ?? "") ?? 0;
}

function highestOf(addresses: ReadonlySet<number>): number {
  let highest = 0;
  for (const address of addresses) highest = Math.max(highest, address);
  return highest;
}
