// The networks of containers: each network of the mesh is a bridge network of the daemon. Where the agent cannot be
// the name server of its containers, the daemon's DNS answers the names of the services on it.

import { randomUUID } from "node:crypto";
import type Docker from "dockerode";
import type { Container, EndpointSettings, NetworkInspectInfo } from "dockerode";
import type { AssignedTask } from "../../../protocol/agent.ts";
import { wait } from "../../wait.ts";
import type { LocalNetworks } from "../runtime.ts";
import { nameServersLabel, taskIdLabel } from "./container-labels.ts";
import { statusOf } from "./daemon.ts";

/** The id of the mesh's network, on the daemon's network. */
const networkLabel = "waggle.network";

/** How long an unused network is kept, because another agent may be about to use it. Milliseconds. */
const unusedMs = 60_000;

/** A daemon makes a network in less time, milliseconds. */
const networkSettleMs = 500;

type AssignedNetwork = NonNullable<AssignedTask["networks"]>[number];

/** A network of the daemon, and the names of the task there. */
export type ContainerNetwork = { readonly id: string; readonly aliases: readonly string[] };

/** The names by which other tasks of a network find a task: as in Swarm, each also after `tasks.`. */
export function networkAliases(
  { service }: Pick<AssignedTask, "service">,
  network: AssignedNetwork,
): string[] {
  const names = [...new Set([service.name, ...network.aliases])];
  return [...names, ...names.map((name) => `tasks.${name}`)];
}

/** The daemon's networks, each made when a task first needs it. */
export class ContainerNetworks {
  readonly #docker: Docker;
  readonly #pending = new Map<string, Promise<string>>();

  constructor(docker: Docker) {
    this.#docker = docker;
  }

  /** Finds or makes the networks of a task. Rejects with the daemon's error. */
  async ensure(task: AssignedTask): Promise<readonly ContainerNetwork[]> {
    const networks: ContainerNetwork[] = [];
    for (const network of task.networks ?? []) {
      networks.push({ id: await this.#idOf(network), aliases: networkAliases(task, network) });
    }
    return networks;
  }

  #idOf(network: AssignedNetwork): Promise<string> {
    const { id } = network;
    const pending = this.#pending.get(id) ?? findOrMake(this.#docker, network);
    this.#pending.set(id, pending);
    const forget = (): void => void this.#pending.delete(id);
    pending.then(forget, forget);
    return pending;
  }
}

/** The networks of the daemon that are networks of the mesh, and the containers of an agent on them. */
export async function readLocalNetworks(docker: Docker, agentFilter: string): Promise<LocalNetworks> {
  const [networks, containers] = await Promise.all([
    listNetworks(docker, networkLabel),
    docker.listContainers({ filters: { label: [agentFilter] } }),
  ]);
  const meshIds = new Map(networks.map(({ Id, Labels }) => [Id, Labels?.[networkLabel] ?? ""]));
  return {
    networks: networks.flatMap(({ Labels, IPAM }) => {
      const { Gateway: gateway, Subnet: subnet } = IPAM?.Config?.[0] ?? {};
      if (gateway === undefined || subnet === undefined) return [];
      return [{ id: Labels?.[networkLabel] ?? "", gateway, subnet }];
    }),
    members: containers.map(({ Labels, NetworkSettings }) => ({
      taskId: Labels[taskIdLabel] ?? "",
      addresses: new Map(
        Object.values(NetworkSettings.Networks).flatMap(({ NetworkID, IPAddress }) => {
          const id = meshIds.get(NetworkID);
          return id === undefined || IPAddress === "" ? [] : [[id, IPAddress] as const];
        }),
      ),
      hasNameServers: Labels[nameServersLabel] !== undefined,
    })),
  };
}

/** Connects a container that was made on the first network to the others. */
export async function connectFurther(
  docker: Docker,
  container: Container,
  networks: readonly ContainerNetwork[],
): Promise<void> {
  for (const { id, aliases } of networks.slice(1)) {
    const EndpointConfig = { Aliases: [...aliases] } as unknown as EndpointSettings;
    await docker.getNetwork(id).connect({ Container: container.id, EndpointConfig });
  }
}

/** Removes the networks that no running container is on. */
export async function removeUnused(docker: Docker, nowMs: number): Promise<void> {
  for (const { Id, Created } of await listNetworks(docker, networkLabel)) {
    if (Date.parse(Created) > nowMs - unusedMs) continue;
    try {
      await docker.getNetwork(Id).remove();
    } catch (error) {
      // A container is on it, or another agent has removed it.
      if (statusOf(error) !== 403 && statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
    }
  }
}

/**
 * A daemon takes two networks of one name that are made at once, and refuses the name then. So the name is unique,
 * and of several networks all agents of the daemon use the oldest.
 */
async function findOrMake(docker: Docker, network: AssignedNetwork): Promise<string> {
  const found = await oldest(docker, network);
  if (found !== null) return found;
  const { id, name } = network;
  const made = await docker.createNetwork({
    Name: `${name}.${randomUUID().slice(0, 8)}`,
    Driver: "bridge",
    Labels: { [networkLabel]: id },
  });
  // One that another agent began to make before may not be listed yet.
  await wait(networkSettleMs);
  const chosen = (await oldest(docker, network)) ?? made.id;
  if (chosen !== made.id) await made.remove().catch(() => {});
  return chosen;
}

async function oldest(docker: Docker, { id }: AssignedNetwork): Promise<string | null> {
  const found = await listNetworks(docker, `${networkLabel}=${id}`);
  const [first] = found.sort(
    (a, b) => Date.parse(a.Created) - Date.parse(b.Created) || (a.Id < b.Id ? -1 : 1),
  );
  return first?.Id ?? null;
}

function listNetworks(docker: Docker, label: string): Promise<NetworkInspectInfo[]> {
  return docker.listNetworks({ filters: { label: [label] } });
}
