// Discovery on one node: follows the Docker daemon, and keeps the report and the tasks of the gateway current.

import type Docker from "dockerode";
import { z } from "zod";
import { taskLimitOf } from "../../domain/labels/balance-labels.ts";
import { probeOf } from "../../domain/labels/labels.ts";
import type { DiscoveredService, DiscoveredTask, NodeDiscovery } from "../../domain/model/discovery.ts";
import type { HealthReport } from "../../domain/model/task.ts";
import { discoveredTaskId } from "../../protocol/discovery.ts";
import type { GatewayTask } from "../gateway/gateway.ts";
import { probeTask } from "../probes.ts";
import { errorText } from "../runtimes/docker/daemon.ts";
import { followEvents } from "../runtimes/docker/daemon-events.ts";
import { httpOrigin } from "../runtimes/ports.ts";
import { wait } from "../wait.ts";
import { discover } from "./describe.ts";
import { dockerSource } from "./docker-source.ts";
import { type Change, DockerState } from "./docker-state.ts";
import { type ProbedTask, TaskProbes } from "./task-probes.ts";

/** The tasks of a Swarm's other nodes cause no events here, so a manager reads them this often, milliseconds. */
const swarmPollMs = 500;
/** Time until a daemon that did not respond is read again, milliseconds. */
const retryMs = 1_000;
/** How long the first report waits for the first verdicts on tasks that run already, milliseconds. */
const firstVerdictsMs = 1_000;

type DiscoveryOptions = {
  readonly docker: Docker;
  readonly log: (line: string) => void;
  /** The report has changed. */
  readonly onChange: () => void;
};

const Event = z.object({
  Type: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()).nullish() }),
});

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #state: DockerState;
  readonly #probes: TaskProbes;
  readonly #closed = new AbortController();
  #found: NodeDiscovery = { services: [], tasks: [] };
  #report: NodeDiscovery = { services: [], tasks: [] };
  #loggedError = "";
  #retry: Promise<void> | null = null;
  #gatewayTasks: { readonly nodeId: string; readonly byId: ReadonlyMap<string, GatewayTask> } | null = null;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#state = new DockerState(dockerSource(options.docker));
    this.#probes = new TaskProbes({
      prober: probeTask,
      wait,
      nowMs: Date.now,
      onVerdict: () => this.#update(),
    });
  }

  /** Reads everything once, then follows the daemon. Resolves when there is a report, or the daemon is away. */
  async start(): Promise<void> {
    await this.#refresh({ kind: "all" });
    void this.#followEvents();
    void this.#followSwarm();
    const deadlineMs = Date.now() + firstVerdictsMs;
    const isUndecided = () => this.#report.tasks.some(({ health }) => health?.verdict === "starting");
    while (isUndecided() && Date.now() < deadlineMs) await wait(20, this.#closed.signal);
  }

  /** Everything that the node has discovered. */
  get report(): NodeDiscovery {
    return this.#report;
  }

  /** A discovered task as the gateway sees it; null if it does not run here. */
  gatewayTask(nodeId: string, taskId: string): GatewayTask | null {
    if (this.#gatewayTasks?.nodeId !== nodeId) {
      const byId = new Map(
        this.#found.tasks.map((task) => [discoveredTaskId(nodeId, task.key), this.#gatewayTaskOf(task)]),
      );
      this.#gatewayTasks = { nodeId, byId };
    }
    return this.#gatewayTasks.byId.get(taskId) ?? null;
  }

  close(): void {
    this.#closed.abort();
    this.#probes.close();
  }

  #gatewayTaskOf(task: DiscoveredTask): GatewayTask {
    const service = this.#serviceOf(task);
    if (service === undefined) return { ports: anyPort(task.address), accepts: true };
    const limit = taskLimitOf(service.labels);
    const ports = new Map(service.ports.map(({ target }) => [target, { host: task.address, port: target }]));
    return { ports, accepts: true, ...(limit !== null && { limit }) };
  }

  #serviceOf({ service }: DiscoveredTask): DiscoveredService | undefined {
    return this.#found.services.find(({ name }) => name === service);
  }

  async #refresh(change: Change): Promise<void> {
    try {
      await this.#state.refresh(change);
      this.#found = discover(this.#state.facts);
      this.#gatewayTasks = null;
      this.#probes.follow(this.#found.tasks.flatMap((task) => this.#probed(task)));
      this.#update();
      this.#loggedError = "";
    } catch (error) {
      this.#retryAfter(errorText(error));
    }
  }

  #retryAfter(reason: string): void {
    const { signal } = this.#closed;
    if (signal.aborted) return;
    if (reason !== this.#loggedError) this.#options.log(`cannot discover services: ${reason}; trying again`);
    this.#loggedError = reason;
    this.#retry ??= wait(retryMs, signal).then(() => {
      this.#retry = null;
      if (!signal.aborted) void this.#refresh({ kind: "all" });
    });
  }

  #probed(task: DiscoveredTask): ProbedTask[] {
    const service = this.#serviceOf(task);
    const targets = [...new Set(service?.ports.map(({ target }) => target) ?? [])].sort((a, b) => a - b);
    if (service === undefined || targets.length === 0) return [];
    const endpoints = targets.map((target) => ({ target, origin: httpOrigin(task.address, target) }));
    return [{ key: task.key, endpoints, probe: probeOf(service.labels) ?? { kind: "tcp" } }];
  }

  #update(): void {
    const tasks = this.#found.tasks.map((task) => ({
      ...task,
      health: worse(task.health, this.#probes.healthOf(task.key)),
    }));
    const report = { ...this.#found, tasks };
    if (JSON.stringify(report) === JSON.stringify(this.#report)) return;
    this.#report = report;
    this.#options.onChange();
  }

  #followEvents(): Promise<void> {
    return followEvents(this.#options.docker, {
      filters: { type: ["container", "network", "service", "node"] },
      // What happened before this connection is read, not followed.
      onConnect: () => void this.#refresh({ kind: "all" }),
      onLine: (line) => {
        for (const change of changesOf(line)) void this.#refresh(change);
      },
      // The runtime's own connection logs that the daemon is away.
      onFailure: () => {},
      signal: this.#closed.signal,
    });
  }

  async #followSwarm(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await wait(swarmPollMs, signal);
      if (this.#state.facts.swarm !== null && !signal.aborted) await this.#refresh({ kind: "swarm" });
    }
  }
}

/** What an event of the daemon is a reason to read again. */
export function changesOf(line: string): readonly Change[] {
  const event = readEvent(line);
  if (event === null) return [];
  const { Type, Actor } = event;
  if (Type === "service" || Type === "node") return [{ kind: "swarm" }];
  const id = Type === "container" ? Actor.ID : Actor.Attributes?.container;
  if (id === undefined) return [];
  return [{ kind: "container", id }, { kind: "swarm" }];
}

function readEvent(line: string): z.infer<typeof Event> | null {
  try {
    return Event.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** Every port of a container of another manager's service: which ones it publishes, that manager knows. */
function anyPort(host: string): GatewayTask["ports"] {
  return { get: (port) => ({ host, port }) };
}

const verdictOrder = { healthy: 0, starting: 1, unhealthy: 2 } as const;

/** The worse of Docker's own verdict and the probe's; null if there is neither. */
function worse(a: HealthReport | null, b: HealthReport | null): HealthReport | null {
  if (a === null || b === null) return a ?? b;
  return verdictOrder[a.verdict] > verdictOrder[b.verdict] ? a : b;
}
