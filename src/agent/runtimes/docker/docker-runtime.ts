// The Docker runtime: each task is a container of this machine's daemon.
//
// The daemon knows what runs. The agent finds its containers by the labels of their tasks, so that it may end at any
// moment; the state folder only adds which of them it has reported.

import type { Container, ContainerInspectInfo } from "dockerode";
import { z } from "zod";
import { MeshError } from "../../../domain/model/error.ts";
import type { ProbeSpec } from "../../../domain/model/service.ts";
import type { LogLine } from "../../../gateway/logs/log-line.ts";
import type { AssignedTask } from "../../../protocol/agent.ts";
import { dependencyFiles } from "../../../protocol/engine/dependency-files.ts";
import type { EngineTaskTemplate } from "../../../protocol/engine/service-schema.ts";
import type { PlacedFile } from "../../dependency-files.ts";
import type { LogQuery } from "../../logs/log-query.ts";
import {
  type EndedRun,
  type LaunchPlan,
  type LocalNetworks,
  type PrepareContext,
  type PrepareResult,
  type RunningTask,
  type Runtime,
  StartError,
} from "../runtime.ts";
import { readTemplate, type TaskNode } from "../task-template.ts";
import { ContainerEvents } from "./container-events.ts";
import { agentLabel, taskIdLabel, taskNameLabel } from "./container-labels.ts";
import { readContainerLogs } from "./container-logs.ts";
import { ContainerNetworks, connectFurther, readLocalNetworks, removeUnused } from "./container-networks.ts";
import { containerOptions } from "./container-options.ts";
import { exitOf, hasEnded, runningContainer } from "./container-run.ts";
import { type DockerDaemon, errorText, isUnreachable, statusOf } from "./daemon.ts";
import { ImagePulls } from "./image-pulls.ts";
import { whyNotInApi } from "./newer-api.ts";

type DockerRuntimeOptions = {
  readonly daemon: DockerDaemon;
  readonly node: Omit<TaskNode, "id">;
  /** Identifies the agent across its restarts: its host name and state folder. */
  readonly agent: string;
  /** Address that host-mode ports are published at; empty: every address of the machine. */
  readonly hostIp: string;
  readonly log: (line: string) => void;
};

const ContainerHandle = z.object({ containerId: z.string() });
const tcpProbe: ProbeSpec = { kind: "tcp" };

export class DockerRuntime implements Runtime {
  readonly #options: DockerRuntimeOptions;
  readonly #pulls: ImagePulls;
  readonly #events: ContainerEvents;
  readonly #networks: ContainerNetworks;

  constructor(options: DockerRuntimeOptions) {
    this.#options = options;
    this.#pulls = new ImagePulls(options.daemon.docker, options.log);
    this.#networks = new ContainerNetworks(options.daemon.docker);
    this.#events = new ContainerEvents(options.daemon.docker, options.log);
  }

  async prepare(task: AssignedTask, context: PrepareContext): Promise<PrepareResult> {
    const { nodeId, signal, onProgress } = context;
    try {
      const template = readTemplate(task, { ...this.#options.node, id: nodeId });
      const unknown = whyNotInApi(template, this.#options.daemon.api);
      if (unknown !== null) return { ok: false, reason: unknown };
      const image = template.ContainerSpec?.Image ?? task.run.image;
      const failure = await this.#pulls.pull({
        image,
        ...(task.registryAuth !== undefined && { auth: task.registryAuth }),
        signal,
        onProgress,
      });
      if (failure !== null)
        return { ok: false, reason: failure.reason, ...(failure.retry && { retry: true }) };
      if (signal.aborted) return { ok: false, reason: "stopped" };
      const placed = await context.placeFiles(dependencyFiles(template.ContainerSpec ?? {}), "container");
      if (!placed.ok) return placed;
      return { ok: true, plan: await this.#create(task, template, context, placed.files) };
    } catch (error) {
      if (error instanceof MeshError) return { ok: false, reason: error.message };
      const status = statusOf(error);
      if (isUnreachable(error))
        return { ok: false, reason: `the Docker daemon does not respond: ${errorText(error)}`, retry: true };
      return {
        ok: false,
        reason: errorText(error),
        ...(status !== null && status >= 500 && { retry: true }),
      };
    }
  }

  async find(task: AssignedTask, savedHandle: unknown): Promise<RunningTask | EndedRun | null> {
    const { data: handle } = ContainerHandle.safeParse(savedHandle);
    const id = handle?.containerId ?? (await this.#containersOf(`${taskIdLabel}=${task.id}`))[0]?.Id;
    if (id === undefined) return null;
    const container = this.#options.daemon.docker.getContainer(id);
    const inspected = await inspectOrNull(container);
    if (inspected === null) return null;
    if (hasEnded(inspected)) return { exit: exitOf(inspected) };
    if (!inspected.State.Running) {
      // The earlier agent ended between the making and the start.
      await removeContainer(container);
      return null;
    }
    return runningContainer(container, inspected, task.run.targets, this.#events);
  }

  async *readLogs(taskId: string, query: LogQuery): AsyncGenerator<LogLine, void, void> {
    const [found] = await this.#containersOf(`${taskIdLabel}=${taskId}`);
    if (found === undefined) return;
    yield* readContainerLogs(this.#options.daemon.docker.getContainer(found.Id), query);
  }

  async removeStrays(recordedIds: ReadonlySet<string>): Promise<readonly string[]> {
    const own = await this.#containersOf(`${agentLabel}=${this.#options.agent}`);
    const strays = own.filter(({ Labels }) => !recordedIds.has(Labels[taskIdLabel] ?? ""));
    await Promise.all(strays.map(({ Id }) => this.#remove(Id)));
    return strays.map(({ Id, Labels }) => `container ${Labels[taskNameLabel] ?? Id}`);
  }

  async remove(taskIds: readonly string[]): Promise<void> {
    const own = await this.#containersOf(`${agentLabel}=${this.#options.agent}`);
    const ended = own.filter(({ Labels }) => taskIds.includes(Labels[taskIdLabel] ?? ""));
    await Promise.all(ended.map(({ Id }) => this.#remove(Id)));
    await removeUnused(this.#options.daemon.docker, Date.now());
  }

  localNetworks(): Promise<LocalNetworks> {
    const { daemon, agent } = this.#options;
    return readLocalNetworks(daemon.docker, `${agentLabel}=${agent}`);
  }

  close(): void {
    this.#events.close();
  }

  async #create(
    task: AssignedTask,
    template: EngineTaskTemplate,
    { nodeId, openNames }: PrepareContext,
    files: readonly PlacedFile[],
  ): Promise<LaunchPlan> {
    const { daemon, agent, hostIp } = this.#options;
    const found = await this.#networks.ensure(task);
    const nameServer = found.length === 0 ? null : await openNames();
    // The daemon would answer an alias with the tasks that it has, and not ask for those of other nodes.
    const networks = nameServer === null ? found : found.map(({ id }) => ({ id, aliases: [] }));
    const [network] = networks;
    const options = containerOptions(task, template, { nodeId, agent, hostIp, network, nameServer, files });
    // An agent that ended at the wrong moment may have left one under this name.
    for (const { Id } of await this.#containersOf(`${taskIdLabel}=${task.id}`)) await this.#remove(Id);
    const container = await daemon.docker.createContainer(options);
    await connectFurther(daemon.docker, container, networks);
    // Absent from dockerode's type.
    const { StopSignal } = (await container.inspect()).Config as { readonly StopSignal?: string };
    return {
      probe: task.run.probe ?? tcpProbe,
      stopSignal: StopSignal || "SIGTERM",
      start: () => this.#start(container, task),
      discard: () => removeContainer(container),
    };
  }

  async #start(container: Container, task: AssignedTask): Promise<RunningTask> {
    try {
      await container.start();
    } catch (error) {
      // Nothing ran, so nothing is worth keeping.
      await removeContainer(container).catch(() => {});
      throw new StartError(`starting container failed: ${errorText(error)}`);
    }
    return runningContainer(container, await container.inspect(), task.run.targets, this.#events);
  }

  #containersOf(label: string) {
    return this.#options.daemon.docker.listContainers({ all: true, filters: { label: [label] } });
  }

  #remove(id: string): Promise<void> {
    return removeContainer(this.#options.daemon.docker.getContainer(id));
  }
}

/** Removes a container with its anonymous volumes, as Swarm does; it may be gone already. */
async function removeContainer(container: Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    // 409: another call removes it.
    if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
  }
}

async function inspectOrNull(container: Container): Promise<ContainerInspectInfo | null> {
  try {
    return await container.inspect();
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw error;
  }
}
