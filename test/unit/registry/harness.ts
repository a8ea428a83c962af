// A registry with a clock in the test's hand, and agents that do as they are assigned.

import type { MeshError } from "../../../src/domain/model/error.ts";
import type { ServiceSpec } from "../../../src/domain/model/service.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import type { AssignedTask, TaskReport } from "../../../src/protocol/agent.ts";
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

/** A mesh in memory. */
export class TestMesh {
  readonly database: SqlDatabase = memoryDatabase();
  readonly mode: "edge" | "local";
  nowMs = 1_800_000_000_000;
  /** Where static servers are checked from. */
  regions: readonly string[] = ["weur"];
  registry: Registry;
  readonly nodes = new Map<string, TestNode>();
  /** When each node with an open socket was last heard. */
  readonly sockets = new Map<string, number>();
  #made = 0;

  constructor(mode: "edge" | "local" = "local") {
    this.mode = mode;
    this.registry = this.#open(new Set());
  }

  /** Starts the registry anew over the same rows, as after an eviction (sockets kept) or a reset (none). */
  restart(connected: readonly string[] = []): void {
    for (const id of this.sockets.keys()) if (!connected.includes(id)) this.sockets.delete(id);
    this.registry = this.#open(new Set(connected));
  }

  /** A node that joined and said hello. */
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

  hello({ id, name, address }: TestNode, tasks: readonly TaskReport[] = []): Effects {
    this.sockets.set(id, this.nowMs);
    this.registry.agents.hello(id, { node: machine(name, address), tasks });
    return this.registry.takeEffects();
  }

  /** A node's socket closes. */
  drop({ id }: TestNode): void {
    this.sockets.delete(id);
    this.registry.agents.socketClosed(id);
  }

  service(name: string, change: Partial<ServiceSpec> = {}): string {
    const made = this.registry.createService(input(name, change), "operator");
    if (!made.ok) throw new Error(made.problem.message);
    return made.value.id;
  }

  /** Agents do as they are told until there is nothing more to do: run, or shut down. Returns the last effects. */
  work(except: readonly string[] = []): Effects {
    for (let round = 0; round < 50; round += 1) {
      const todo = this.tasks().filter((task) => !except.includes(task.nodeId ?? "") && next(task) !== null);
      if (todo.length === 0) return this.registry.takeEffects();
      for (const task of todo) this.report(task, next(task) ?? {});
    }
    throw new Error("the agents never came to rest");
  }

  /** One report of a task's own node. */
  report(task: Task, change: Partial<TaskReport>): void {
    this.registry.agents.report(task.nodeId ?? "", [this.seen(task, change)]);
  }

  /** A task as its agent would report it. */
  seen(task: Task, change: Partial<TaskReport> = {}): TaskReport {
    const address = this.nodes.get(task.nodeId ?? "")?.address ?? "127.0.0.99";
    const state = change.state ?? "running";
    const up = state === "running";
    return {
      id: task.id,
      state,
      message: state,
      err: "",
      atMs: this.nowMs,
      endpoints: up
        ? task.run.targets.map((target) => ({ target, origin: `http://${address}:${40_000 + target}` }))
        : [],
      health: up ? healthy : null,
      pid: up ? 4242 : null,
      exitCode: null,
      ...change,
    };
  }

  tasks(service?: string): readonly Task[] {
    const tasks = this.registry.tasks(service === undefined ? {} : { services: [service] });
    if (!tasks.ok) throw new Error(tasks.problem.message);
    return tasks.value;
  }

  /** The tasks of a service that run and shall run. */
  running(service: string): readonly Task[] {
    return this.tasks(service).filter(({ state, desired }) => state === "running" && desired === "running");
  }

  /** Lets time pass and the alarm ring; `heard` are the nodes that pinged until now. */
  pass(ms: number, heard: readonly TestNode[] = [...this.nodes.values()]): Effects {
    const untilMs = this.nowMs + ms;
    for (let atMs = this.registry.nextDeadlineMs(); atMs !== null && atMs <= untilMs; ) {
      this.nowMs = Math.max(this.nowMs, atMs);
      this.ring(heard);
      const nextMs = this.registry.nextDeadlineMs();
      if (nextMs !== null && nextMs <= this.nowMs) throw new Error("the same deadline came twice");
      atMs = nextMs;
    }
    this.nowMs = untilMs;
    return this.registry.takeEffects();
  }

  /** The alarm, now. */
  ring(heard: readonly TestNode[]): void {
    for (const { id } of heard) if (this.sockets.has(id)) this.sockets.set(id, this.nowMs);
    this.registry.agents.checkHeartbeats(this.sockets);
    this.registry.runDueDeadlines();
  }

  events(action: string): readonly string[] {
    const kept = this.registry.events(0, 1_000).filter((event) => event.action === action);
    return kept.map(({ subject, why }) => `${subject.name}: ${why}`);
  }

  #open(connected: ReadonlySet<string>): Registry {
    const deps: RegistryDeps = {
      clock: () => this.nowMs,
      newId: () => this.#digits(25),
      newSecret: (length) => this.#digits(length),
      mode: this.mode,
      meshName: "test",
      regions: this.regions,
    };
    const registry = new Registry(new RegistryStore(this.database), deps);
    registry.start(connected);
    return registry;
  }

  #digits(length: number): string {
    this.#made += 1;
    return this.#made.toString(36).padStart(length, "0");
  }
}

export function machine(hostname: string, address: string) {
  return {
    hostname,
    address,
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 4_000_000_000, memoryBytes: 8_000_000_000 },
    engineVersion: "0.1.0",
    runtime: "process" as const,
  };
}

/** A service of one replica of the built-in server, published 8080 -> 80 unless `change` says otherwise. */
export function input(
  name: string,
  change: Partial<ServiceSpec> = {},
): { spec: ServiceSpec; document: unknown } {
  const spec = aSpec({ name, replicas: 1, ports: [{ target: 80, mode: "ingress" }], ...change });
  return {
    spec,
    document: { Name: name, TaskTemplate: { ContainerSpec: { Image: spec.run.image } }, said: change },
  };
}

export function refusal(answer: { ok: boolean; problem?: Pick<MeshError, "code" | "message"> }): string {
  return answer.problem === undefined ? "" : `${answer.problem.code}: ${answer.problem.message}`;
}

/** The tasks a node was last assigned by these effects; undefined when it was sent nothing. */
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

/** What an obedient agent reports next of a task; null when there is nothing to say. */
function next({ state, desired, nodeId }: Task): Partial<TaskReport> | null {
  const alive = ["assigned", "accepted", "preparing", "ready", "starting", "running"].includes(state);
  if (nodeId === null || !alive) return null;
  if (desired !== "running") return { state: "shutdown" };
  return state === "running" ? null : { state: "running" };
}
