// Reads a daemon's containers and its Swarm as discovery sees them.

import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { z } from "zod";
import { taskIdLabel } from "../runtimes/docker/container-labels.ts";
import { statusOf } from "../runtimes/docker/daemon.ts";
import type { ContainerFacts, SwarmFacts } from "./describe.ts";
import type { DockerSource } from "./docker-state.ts";

/** The bridge by which a Swarm's containers reach their machine, and are reached from it. */
const swarmBridge = "docker_gwbridge";

const SwarmServices = z.array(
  z.object({
    ID: z.string(),
    Spec: z.object({
      Name: z.string(),
      Labels: z.record(z.string(), z.string()).nullish(),
      TaskTemplate: z.object({ ContainerSpec: z.object({ Image: z.string() }).nullish() }).nullish(),
    }),
    Endpoint: z
      .object({
        Ports: z
          .array(
            z.object({
              Protocol: z.string().default("tcp"),
              TargetPort: z.number(),
              PublishedPort: z.number().default(0),
              PublishMode: z.string().default("ingress"),
            }),
          )
          .nullish(),
      })
      .nullish(),
  }),
);
const SwarmTasks = z.array(
  z.object({
    ID: z.string(),
    ServiceID: z.string().default(""),
    NodeID: z.string().default(""),
    Status: z.object({ State: z.string() }),
  }),
);
const SwarmNodes = z.array(
  z.object({ ID: z.string(), Description: z.object({ Hostname: z.string() }).nullish() }),
);

export function dockerSource(docker: Docker): DockerSource {
  const bridges = new Bridges(docker);
  return {
    containerIds: async () => (await docker.listContainers()).map(({ Id }) => Id),
    container: async (id) => {
      try {
        const inspected = await docker.getContainer(id).inspect();
        return containerFacts(inspected, await bridges.addressOf(inspected));
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    },
    swarm: () => readSwarm(docker),
  };
}

function containerFacts(inspected: ContainerInspectInfo, address: string | null): ContainerFacts {
  const { Id, Name, Config, State, HostConfig } = inspected;
  const { Health } = State;
  return {
    id: Id,
    name: Name.replace(/^\//, ""),
    image: Config.Image,
    labels: Config.Labels ?? {},
    isRunning: State.Running && !State.Paused && !State.Restarting,
    startedAtMs: Date.parse(State.StartedAt) || 0,
    health:
      Health === undefined || !isHealthStatus(Health.Status)
        ? null
        : { status: Health.Status, output: Health.Log?.at(-1)?.Output.trim() ?? "" },
    address,
    network: HostConfig.NetworkMode ?? "none",
    exposed: Object.keys(Config.ExposedPorts ?? {}).flatMap((text) => {
      const [, port] = /^(\d+)\/tcp$/.exec(text) ?? [];
      return port === undefined ? [] : [Number(port)];
    }),
  };
}

function isHealthStatus(text: string): text is "starting" | "healthy" | "unhealthy" {
  return text === "starting" || text === "healthy" || text === "unhealthy";
}

/** The networks of this machine that are bridges, whose addresses it reaches. */
class Bridges {
  readonly #docker: Docker;
  /** By network id, true for a bridge. */
  readonly #isBridge = new Map<string, boolean>();

  constructor(docker: Docker) {
    this.#docker = docker;
  }

  async addressOf({ Id, Config, State, NetworkSettings }: ContainerInspectInfo): Promise<string | null> {
    if (!State.Running) return null;
    for (const { NetworkID, IPAddress } of Object.values(NetworkSettings.Networks)) {
      if (IPAddress !== "" && (await this.#check(NetworkID))) return IPAddress;
    }
    return Config.Labels?.[taskIdLabel] === undefined ? null : this.#swarmAddressOf(Id);
  }

  async #check(id: string): Promise<boolean> {
    if (!this.#isBridge.has(id)) {
      this.#isBridge.clear();
      for (const { Id, Driver } of await this.#docker.listNetworks())
        this.#isBridge.set(Id, Driver === "bridge");
    }
    return this.#isBridge.get(id) ?? false;
  }

  /** The address of a container of a Swarm, which its own description leaves out. */
  async #swarmAddressOf(id: string): Promise<string | null> {
    try {
      const { Containers } = await this.#docker.getNetwork(swarmBridge).inspect();
      const entries = Object.entries((Containers ?? {}) as Record<string, { readonly IPv4Address?: string }>);
      const own = entries.find(([containerId]) => containerId === id)?.[1].IPv4Address;
      return own?.split("/")[0] || null;
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  }
}

async function readSwarm(docker: Docker): Promise<SwarmFacts | null> {
  const { Swarm } = await docker.info();
  if (Swarm?.ControlAvailable !== true) return null;
  try {
    const [services, tasks, nodes] = await Promise.all([
      docker.listServices(),
      docker.listTasks({ filters: { "desired-state": ["running"] } }),
      docker.listNodes(),
    ]);
    return {
      nodeId: Swarm.NodeID,
      hostnames: new Map(
        SwarmNodes.parse(nodes).map(({ ID, Description }) => [ID, Description?.Hostname ?? ID]),
      ),
      services: SwarmServices.parse(services).map(({ ID, Spec, Endpoint }) => ({
        id: ID,
        name: Spec.Name,
        image: Spec.TaskTemplate?.ContainerSpec?.Image ?? "unknown",
        labels: Spec.Labels ?? {},
        ports: (Endpoint?.Ports ?? []).map(({ Protocol, TargetPort, PublishedPort, PublishMode }) => ({
          protocol: Protocol,
          target: TargetPort,
          published: PublishedPort,
          mode: PublishMode,
        })),
      })),
      tasks: SwarmTasks.parse(tasks)
        .filter(({ Status }) => Status.State === "running")
        .map(({ ID, ServiceID, NodeID }) => ({ id: ID, serviceId: ServiceID, nodeId: NodeID })),
    };
  } catch (error) {
    // 503: it is a manager no more.
    if (statusOf(error) === 503) return null;
    throw error;
  }
}
