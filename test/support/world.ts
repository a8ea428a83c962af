// Builders of nodes, services, tasks and worlds for tests, with defaults for every field.

import type { MeshNode } from "../../src/domain/model/node.ts";
import { runHash } from "../../src/domain/model/run-hash.ts";
import type {
  PortRequest,
  PublishedPort,
  RunSpec,
  Service,
  ServiceSpec,
} from "../../src/domain/model/service.ts";
import type { HealthReport, Task } from "../../src/domain/model/task.ts";
import type { World } from "../../src/domain/model/world.ts";

/** The current time of tests, epoch milliseconds. */
export const now = 1_700_000_000_000;

/** A generator of valid ids in ascending order: `0000…01`, `0000…02`. */
export function ids(prefix = ""): () => string {
  let next = 0;
  return () => {
    next += 1;
    return prefix + next.toString(36).padStart(25 - prefix.length, "0");
  };
}

export function aNode(over: Partial<MeshNode> = {}): MeshNode {
  const id = over.id ?? `${over.hostname ?? "node1"}${"n".repeat(25)}`.slice(0, 25);
  return {
    id,
    hostname: "node1",
    address: "127.0.0.2",
    gateway: { port: 7946, tls: false },
    transport: { kind: "direct", reason: "" },
    entryHosts: [],
    role: "worker",
    availability: "active",
    labels: {},
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 4e9, memoryBytes: 8 * 1024 ** 3 },
    engineVersion: "0.1.0",
    runtime: "process",
    state: "ready",
    message: "",
    stateSinceMs: now - 3_600_000,
    version: 1,
    createdAtMs: now - 3_600_000,
    updatedAtMs: now - 3_600_000,
    ...over,
  };
}

/** Overrides for a service spec, also of single fields in its nested parts. */
export type SpecOver = Partial<Omit<ServiceSpec, "run" | "restart" | "update">> & {
  readonly run?: Partial<RunSpec>;
  readonly restart?: Partial<ServiceSpec["restart"]>;
  readonly update?: Partial<ServiceSpec["update"]>;
  /** Short for a replicated `mode`. */
  readonly replicas?: number;
};

export function aSpec({ run, restart, update, replicas, ...over }: SpecOver = {}): ServiceSpec {
  const ports: readonly PortRequest[] = over.ports ?? [{ target: 80, published: 8080, mode: "ingress" }];
  return {
    name: "my-web",
    labels: {},
    mode: { kind: "replicated", replicas: replicas ?? 2 },
    constraints: [],
    maxPerNode: 0,
    reservations: { nanoCpus: 0, memoryBytes: 0 },
    forceUpdate: 0,
    ...over,
    ports,
    run: {
      image: "waggle/whoami",
      command: [],
      args: [],
      env: [],
      dir: "",
      stopSignal: "SIGTERM",
      stopGraceMs: 10_000,
      targets: [...new Set(ports.map(({ target }) => target))].sort((a, b) => a - b),
      ...run,
    },
    restart: { condition: "any", maxAttempts: 0, windowMs: 0, ...restart },
    update: { parallelism: 1, order: "start-first", ...update },
  };
}

/** Its published ports are those that the spec requests by number. */
export function aService(over: SpecOver = {}, rest: Partial<Omit<Service, "spec">> = {}): Service {
  const spec = aSpec(over);
  const ports: readonly PublishedPort[] = spec.ports.flatMap(({ target, published, mode }) =>
    published === undefined ? [] : [{ target, published, mode }],
  );
  return {
    id: `${spec.name}${"s".repeat(25)}`.slice(0, 25),
    spec,
    document: { Name: spec.name, TaskTemplate: { ContainerSpec: { Image: spec.run.image } } },
    previous: null,
    ports,
    runHash: runHash(spec, null),
    version: 1,
    createdAtMs: now - 600_000,
    updatedAtMs: now - 600_000,
    ...rest,
  };
}

/** The service after an update of its spec. */
export function updated(service: Service, over: SpecOver): Service {
  const { run, restart, update, replicas, ...rest } = over;
  const spec: ServiceSpec = {
    ...service.spec,
    ...rest,
    ...(replicas !== undefined && { mode: { kind: "replicated", replicas } }),
    run: { ...service.spec.run, ...run },
    restart: { ...service.spec.restart, ...restart },
    update: { ...service.spec.update, ...update },
  };
  return { ...service, spec, runHash: runHash(spec, null), version: service.version + 1 };
}

export const healthy: HealthReport = {
  verdict: "healthy",
  streak: { ok: true, length: 2 },
  sinceMs: now - 60_000,
  lastCheck: "L7OK/200 in 3ms",
  rise: 2,
  fall: 3,
};

/** Running and healthy unless `over` says otherwise. */
export function aTask(service: Service, over: Partial<Task> = {}): Task {
  const slot = over.slot ?? (service.spec.mode.kind === "global" ? 0 : 1);
  const state = over.state ?? "running";
  const nodeId = over.nodeId === undefined ? aNode().id : over.nodeId;
  const isRunning = state === "running";
  const port = 40_000 + slot;
  return {
    id: `${service.spec.name}${slot}${(nodeId ?? "none").slice(0, 6)}${"t".repeat(25)}`.slice(0, 25),
    serviceId: service.id,
    slot,
    nodeId,
    run: service.spec.run,
    document: (service.document as { TaskTemplate: unknown }).TaskTemplate,
    runHash: service.runHash,
    desired: "running",
    state,
    message: isRunning ? "started" : "",
    err: "",
    stateSinceMs: now - 300_000,
    createdAtMs: now - 300_000,
    notBeforeMs: now - 300_000,
    version: 5,
    endpoints: isRunning
      ? service.spec.run.targets.map((target) => ({ target, origin: `http://127.0.0.2:${port}` }))
      : [],
    health: isRunning ? healthy : null,
    pid: isRunning ? 4_000 + slot : null,
    exitCode: null,
    ...over,
  };
}

export function aWorld(
  nodes: readonly MeshNode[] = [],
  services: readonly Service[] = [],
  tasks: readonly Task[] = [],
): World {
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    services: new Map(services.map((service) => [service.id, service])),
    tasks: new Map(tasks.map((task) => [task.id, task])),
    servers: new Map(),
    networks: new Map(),
  };
}
