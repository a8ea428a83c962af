// A registry in memory with a clock that tests set, and agents that follow their assignments.

import type { MeshError } from "../../../src/domain/model/error.ts";
import { readHostPatterns } from "../../../src/domain/model/host-pattern.ts";
import { readOwnSockets } from "../../../src/domain/model/own-socket.ts";
import type { ServiceSpec } from "../../../src/domain/model/service.ts";
import { isAlive, type Task } from "../../../src/domain/model/task.ts";
import type { AgentMessage, AssignedTask, TaskReport } from "../../../src/protocol/agent.ts";
import type { ParsedAgentMessage } from "../../../src/registry/agent-message.ts";
import type { Effects } from "../../../src/registry/effects.ts";
import { Registry } from "../../../src/registry/registry.ts";
import { RegistryStore } from "../../../src/registry/store.ts";
import type { RegistryDeps } from "../../../src/registry/transactions.ts";
import type { SqlDatabase } from "../../../src/storage/sql-database.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { aSpec } from "../../support/world.ts";

export type TestNode = {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly credential: string;
};

export class TestMesh {
  readonly database: SqlDatabase = memoryDatabase();
  readonly mode: "edge" | "local";
  nowMs = 1_800_000_000_000;
  /** The variables NODE_ADDRESSES and OWN_SOCKETS. */
  nodeAddresses = "127.0.0.0/8, *.example.com";
  ownSockets = "127.0.0.1:8787";
  /** The bindings TUNNEL and VPC. */
  hasTunnel = false;
  hasVpc = false;
  /** Regions that static servers are checked from. */
  regions: readonly string[] = ["weur"];
  /** Begins ids and secrets: meshes whose rows meet must not make the same. */
  idPad = "0";
  /** The operator's token. */
  sealSecret = "the operator's token";
  registry: Registry;
  readonly nodes = new Map<string, TestNode>();
  /** By node with an open socket, when it was last seen. */
  readonly sockets = new Map<string, number>();
  #made = 0;

  constructor(mode: "edge" | "local" = "local") {
    this.mode = mode;
    this.registry = this.#open(new Set());
  }

  /** Restarts the registry on the same rows, as after an eviction (sockets survive) or a reset (none do). */
  restart(connected: readonly string[] = []): void {
    for (const id of this.sockets.keys()) if (!connected.includes(id)) this.sockets.delete(id);
    this.registry = this.#open(new Set(connected));
  }

  /** Adds a node that joined and said hello. */
  node(name: string, address = `127.0.0.${this.nodes.size + 2}`): TestNode {
    const node = this.join(name, address);
    this.hello(node);
    return node;
  }

  join(name: string, address: string, token = this.registry.joinTokens().worker): TestNode {
    const joined = this.registry.join({ token, ...machine(name, address) });
    if (!joined.ok) throw new Error(joined.problem.message);
    const node = { id: joined.value.nodeId, name, address, credential: joined.value.credential };
    this.nodes.set(node.id, node);
    return node;
  }

  /**
   * @param client where the node's connection comes from
   * @param discovers whether its agent discovers services
   */
  hello(
    { id, name, address }: TestNode,
    tasks: readonly TaskReport[] = [],
    client: string | null = null,
    discovers = false,
  ): Effects {
    this.sockets.set(id, this.nowMs);
    this.send(id, { type: "hello", node: machine(name, address), tasks: [...tasks], discovers }, client);
    return this.registry.takeEffects();
  }

  /** A message of a node's agent arrives. @param client where the node's connection comes from */
  send(nodeId: string, message: AgentMessage, client: string | null = null): void {
    this.receive(nodeId, { ok: true, message }, client);
  }

  /** A frame of a node's agent arrives. */
  receive(nodeId: string, parsed: ParsedAgentMessage, client: string | null = null): void {
    this.registry.agents.receiveAll([{ nodeId, parsed, client }]);
  }

  /** Closes a node's socket. */
  drop({ id }: TestNode): void {
    this.sockets.delete(id);
    this.registry.agents.socketClosed(id);
  }

  service(name: string, change: Partial<ServiceSpec> = {}): string {
    const created = this.registry.createService(input(name, change), "operator");
    if (!created.ok) throw new Error(created.problem.message);
    return created.value.id;
  }

  /** Agents start and stop tasks as assigned until all are settled. Returns the last effects. */
  work(except: readonly string[] = []): Effects {
    for (let round = 0; round < 50; round += 1) {
      const pending = this.tasks().filter(
        (task) => !except.includes(task.nodeId ?? "") && nextReport(task) !== null,
      );
      if (pending.length === 0) return this.registry.takeEffects();
      for (const task of pending) this.report(task, nextReport(task) ?? {});
    }
    throw new Error("the agents never settle");
  }

  /** Reports a task by its own node. */
  report(task: Task, change: Partial<TaskReport>): void {
    this.send(task.nodeId ?? "", { type: "report", tasks: [this.reportOf(task, change)] });
  }

  /** The report of a task by its agent. */
  reportOf(task: Task, change: Partial<TaskReport> = {}): TaskReport {
    const address = this.nodes.get(task.nodeId ?? "")?.address ?? "127.0.0.99";
    const state = change.state ?? "running";
    const isUp = state === "running";
    return {
      id: task.id,
      state,
      message: state,
      err: "",
      atMs: this.nowMs,
      endpoints: isUp
        ? task.run.targets.map((target) => ({ target, origin: `http://${address}:${40_000 + target}` }))
        : [],
      health: isUp ? healthy : null,
      pid: isUp ? 4242 : null,
      exitCode: null,
      ...change,
    };
  }

  tasks(service?: string): readonly Task[] {
    const tasks = this.registry.tasks(service === undefined ? {} : { services: [service] });
    if (!tasks.ok) throw new Error(tasks.problem.message);
    return tasks.value;
  }

  /** The tasks of a service that run and should run. */
  running(service: string): readonly Task[] {
    return this.tasks(service).filter(({ state, desired }) => state === "running" && desired === "running");
  }

  /** Advances the clock and runs due alarms. @param pinging nodes that pinged until then */
  pass(ms: number, pinging: readonly TestNode[] = [...this.nodes.values()]): Effects {
    const untilMs = this.nowMs + ms;
    for (let atMs = this.registry.nextDeadlineMs(); atMs !== null && atMs <= untilMs; ) {
      this.nowMs = Math.max(this.nowMs, atMs);
      this.ring(pinging);
      const nextMs = this.registry.nextDeadlineMs();
      if (nextMs !== null && nextMs <= this.nowMs) throw new Error("the deadline is still due");
      atMs = nextMs;
    }
    this.nowMs = untilMs;
    return this.registry.takeEffects();
  }

  /** Runs the alarm now. */
  ring(pinging: readonly TestNode[]): void {
    for (const { id } of pinging) if (this.sockets.has(id)) this.sockets.set(id, this.nowMs);
    this.registry.agents.checkHeartbeats(this.sockets);
    this.registry.runDueDeadlines();
  }

  events(action: string): readonly string[] {
    const events = this.registry.events(0, 1_000).filter((event) => event.action === action);
    return events.map(({ subject, why }) => `${subject.name}: ${why}`);
  }

  #open(connected: ReadonlySet<string>): Registry {
    const deps: RegistryDeps = {
      clock: () => this.nowMs,
      newId: () => this.#digits(25),
      newSecret: (length) => this.#digits(length),
      sealSecret: this.sealSecret,
      addresses: {
        mode: this.mode,
        nodeAddresses: readHostPatterns(this.nodeAddresses).patterns,
        ownSockets: readOwnSockets(this.ownSockets),
        hasTunnel: this.hasTunnel,
        hasVpc: this.hasVpc,
      },
      meshName: "test",
      regions: this.regions,
    };
    const registry = new Registry(new RegistryStore(this.database), deps);
    registry.start(connected);
    return registry;
  }

  #digits(length: number): string {
    this.#made += 1;
    return this.#made.toString(36).padStart(length, this.idPad);
  }
}

export function machine(hostname: string, address: string) {
  return {
    hostname,
    address,
    gateway: { port: 7946, tls: false },
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 4_000_000_000, memoryBytes: 8_000_000_000 },
    engineVersion: "0.1.0",
    runtime: "process" as const,
  };
}

/** A service of one replica of the built-in server that publishes target port 80, with `change` applied. */
export function input(
  name: string,
  change: Partial<ServiceSpec> = {},
): { spec: ServiceSpec; document: unknown } {
  const spec = aSpec({ name, replicas: 1, ports: [{ target: 80, mode: "ingress" }], ...change });
  return {
    spec,
    document: { Name: name, TaskTemplate: { ContainerSpec: { Image: spec.run.image } }, change },
  };
}

export function refusal(result: { ok: boolean; problem?: Pick<MeshError, "code" | "message"> }): string {
  return result.problem === undefined ? "" : `${result.problem.code}: ${result.problem.message}`;
}

/** The tasks of the last assignment of a node in these effects; undefined if it got no assignment. */
export function assigned(effects: Effects, nodeId: string): readonly AssignedTask[] | undefined {
  return effects.assignments.findLast((assignment) => assignment.nodeId === nodeId)?.body.tasks;
}

const healthy = {
  verdict: "healthy",
  streak: { ok: true, length: 2 },
  sinceMs: 0,
  lastCheck: "L4OK in 0ms",
  rise: 2,
  fall: 3,
} as const;

/** The next report of an agent that follows its assignment; null if it has nothing to report. */
function nextReport({ state, desired, nodeId }: Task): Partial<TaskReport> | null {
  if (nodeId === null || !isAlive({ state })) return null;
  if (desired !== "running") return { state: "shutdown" };
  return state === "running" ? null : { state: "running" };
}
