// What a node has to do so that names work in its containers: the answers of its name server, the addresses that it
// accepts connections for, and who may connect to them. Pure; network-names.ts carries it out.

import type { NamedNetwork, NamedService } from "../../protocol/agent.ts";
import type { LocalNetworks } from "../runtimes/runtime.ts";

/** A task that a connection may go to. */
export type NamedTask = NamedService["tasks"][number] & { readonly networkId: string };

/** An address and port that the agent accepts connections for, with the tasks that they go to. */
export type NamedAddress = {
  readonly networkId: string;
  /** `10.0.1.2`: a service's, or that of a task on another node. */
  readonly address: string;
  readonly port: number;
  readonly tasks: readonly NamedTask[];
};

/** A container of this agent, by one of its addresses. */
export type NamedClient = {
  readonly ip: string;
  /** Ids of the networks whose names it may use. */
  readonly networkIds: readonly string[];
  /** Its own name servers know what the mesh does not. */
  readonly hasNameServers: boolean;
};

/** The addresses of the names of one network, in lower case. */
type NetworkRecords = ReadonlyMap<string, readonly string[]>;

export type NamesPlan = {
  readonly records: ReadonlyMap<string, NetworkRecords>;
  /** The mesh's addresses on each network: a connection to one of them at a port without a listener is refused. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly listeners: readonly NamedAddress[];
  readonly clients: readonly NamedClient[];
};

/**
 * Plans the names of a node. A service's name stands for its virtual address, or for the addresses of its tasks in
 * mode dnsrr; `tasks.NAME` always stands for those of its tasks. A task of this agent has its container's own address,
 * at which every port works; the others have addresses of the mesh.
 *
 * @see docs/spec.md N430-N434
 */
export function planNames(networks: readonly NamedNetwork[], local: LocalNetworks): NamesPlan {
  const own = ownAddresses(local);
  const records = new Map<string, NetworkRecords>();
  const addresses = new Map<string, readonly string[]>();
  const listeners: NamedAddress[] = [];
  for (const { id: networkId, services } of networks) {
    const names = new Map<string, readonly string[]>();
    const taken: string[] = [];
    for (const { names: serviceNames, virtualIp, tasks } of services) {
      const named = tasks.map((task) => ({ ...task, networkId }));
      const remote = named.filter(({ id }) => !own.has(`${networkId} ${id}`));
      const each = named.map(({ id, address }) => own.get(`${networkId} ${id}`) ?? address);
      for (const name of serviceNames) {
        addAll(names, name, virtualIp === null ? each : [virtualIp]);
        addAll(names, `tasks.${name}`, each);
      }
      if (virtualIp !== null) {
        taken.push(virtualIp);
        for (const port of portsOf(named)) {
          const listening = named.filter(({ ports }) => ports.includes(port));
          listeners.push({ networkId, address: virtualIp, port, tasks: listening });
        }
      }
      for (const task of remote) {
        taken.push(task.address);
        for (const port of task.ports) {
          listeners.push({ networkId, address: task.address, port, tasks: [task] });
        }
      }
    }
    records.set(networkId, names);
    addresses.set(networkId, taken);
  }
  return { records, addresses, listeners, clients: clientsOf(local, new Set(records.keys())) };
}

/** The addresses of a name for a client, over all of its networks; null: no name of the mesh. */
export function addressesOf(
  { records }: NamesPlan,
  { networkIds }: NamedClient,
  name: string,
): readonly string[] | null {
  const found = networkIds.flatMap((id) => {
    const addresses = records.get(id)?.get(name.toLowerCase());
    return addresses === undefined ? [] : [addresses];
  });
  return found.length === 0 ? null : found.flat();
}

/** The address of each container of this agent, by network and task. */
function ownAddresses({ members }: LocalNetworks): ReadonlyMap<string, string> {
  return new Map(
    members.flatMap(({ taskId, addresses }) =>
      [...addresses].map(([networkId, ip]) => [`${networkId} ${taskId}`, ip] as const),
    ),
  );
}

/** Every address of a container may be the source of its connections, whichever network it takes. */
function clientsOf({ members }: LocalNetworks, known: ReadonlySet<string>): readonly NamedClient[] {
  return members.flatMap(({ addresses, hasNameServers }) => {
    const networkIds = [...addresses.keys()].filter((id) => known.has(id));
    return [...addresses.values()].map((ip) => ({ ip, networkIds, hasNameServers }));
  });
}

/** Two services may share a name by an alias: it stands for both then. */
function addAll(names: Map<string, readonly string[]>, name: string, addresses: readonly string[]): void {
  const lower = name.toLowerCase();
  names.set(lower, [...(names.get(lower) ?? []), ...addresses]);
}

function portsOf(tasks: readonly NamedTask[]): ReadonlySet<number> {
  return new Set(tasks.flatMap(({ ports }) => ports));
}
