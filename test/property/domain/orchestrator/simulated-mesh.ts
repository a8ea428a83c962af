// A mesh without machines: an operator's commands, agents' reports and passing time, all drawn by fast-check, act on a
// world that is reconciled after each of them. What must hold at every moment is checked at every moment.

import fc from "fast-check";
import { parseConstraints } from "../../../../src/domain/model/constraint.ts";
import type { Service } from "../../../../src/domain/model/service.ts";
import { isAlive, isWanted, type Task } from "../../../../src/domain/model/task.ts";
import { applyReport, type ReportedState } from "../../../../src/domain/model/task-report.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { applyPlan, type Plan } from "../../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../../src/domain/orchestrator/reconcile.ts";
import { replacementReason } from "../../../../src/domain/orchestrator/replacement.ts";
import {
  aNode,
  aService,
  aWorld,
  healthy,
  ids,
  now,
  type SpecOver,
  updated,
} from "../../../support/world.ts";

/** What may happen. `pick` chooses among the things there are, by remainder. */
export type Happening =
  | { readonly what: "create"; readonly spec: SpecOver }
  | { readonly what: "update"; readonly pick: number; readonly spec: SpecOver }
  | { readonly what: "remove-service"; readonly pick: number }
  | { readonly what: "availability"; readonly pick: number; readonly to: "active" | "pause" | "drain" }
  | { readonly what: "heard"; readonly pick: number; readonly to: "ready" | "down" | "disconnected" }
  | { readonly what: "label"; readonly pick: number; readonly zone: string }
  | { readonly what: "remove-node"; readonly pick: number }
  | { readonly what: "add-node" }
  | { readonly what: "report"; readonly pick: number; readonly state: ReportedState }
  | { readonly what: "agents-work" }
  | { readonly what: "time"; readonly ms: number };

const pick = fc.nat(50);
const kib256 = 4 * 1024 ** 3;

const specs: fc.Arbitrary<SpecOver> = fc.record(
  {
    mode: fc.oneof(
      { weight: 4, arbitrary: fc.nat(5).map((replicas) => ({ kind: "replicated", replicas }) as const) },
      { weight: 1, arbitrary: fc.constant({ kind: "global" } as const) },
    ),
    constraints: fc.constantFrom([], [], ["node.labels.zone==a"], ["node.labels.zone!=a"]),
    maxPerNode: fc.constantFrom(0, 0, 1, 2),
    reservations: fc.constantFrom(
      { nanoCpus: 0, memoryBytes: 0 },
      { nanoCpus: 1e9, memoryBytes: 0 },
      { nanoCpus: 0, memoryBytes: kib256 },
    ),
    ports: fc.constantFrom(
      [{ target: 80, published: 8080, mode: "ingress" as const }],
      [{ target: 80, published: 8090, mode: "host" as const }],
    ),
    restart: fc.record({
      condition: fc.constantFrom("any", "any", "on-failure", "none"),
      maxAttempts: fc.constantFrom(0, 0, 1, 6),
    }),
    update: fc.record({
      parallelism: fc.constantFrom(0, 1, 1, 2),
      order: fc.constantFrom("start-first", "start-first", "stop-first"),
      delayMs: fc.constantFrom(0, 0, 2_000, 10_000),
      monitorMs: fc.constantFrom(300, 5_000),
      maxFailureRatio: fc.constantFrom(0, 0.3, 1),
      failureAction: fc.constantFrom("continue", "pause", "rollback"),
    }),
  },
  { requiredKeys: ["mode"] },
);

const updates: fc.Arbitrary<SpecOver> = fc.oneof(
  fc.nat(6).map((replicas) => ({ replicas })),
  fc.nat(3).map((version) => ({ run: { env: [`VERSION=${version}`] } })),
  fc.nat(3).map((version) => ({ run: { env: [`VERSION=${version}`] } })),
  fc.constantFrom<SpecOver>({ constraints: ["node.labels.zone==a"] }, { constraints: [] }),
  fc.constantFrom<SpecOver>({ update: { order: "stop-first" } }, { update: { order: "start-first" } }),
);

const reported: fc.Arbitrary<ReportedState> = fc.constantFrom(
  ...([
    "accepted",
    "starting",
    "running",
    "running",
    "running",
    "complete",
    "failed",
    "failed",
    "rejected",
  ] as const),
);

export const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: specs.map((spec) => ({ what: "create", spec }) as const) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("update" as const), pick, spec: updates }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("remove-service" as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant("availability" as const),
      pick,
      to: fc.constantFrom("active", "active", "pause", "drain"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("heard" as const),
      pick,
      to: fc.constantFrom("ready", "ready", "down", "disconnected"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("label" as const), pick, zone: fc.constantFrom("a", "b") }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("remove-node" as const), pick }) },
  { weight: 1, arbitrary: fc.constant({ what: "add-node" } as const) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant("report" as const), pick, state: reported }) },
  { weight: 5, arbitrary: fc.constant({ what: "agents-work" } as const) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(1, 999, 1_000, 4_000, 61_000, 86_400_000)
      .map((ms) => ({ what: "time", ms }) as const),
  },
);

/** A mesh of three nodes, and what has become of it. */
export class SimulatedMesh {
  nowMs = now;
  world: World = aWorld(
    [1, 2, 3].map((n) => aNode({ hostname: `node${n}`, labels: { zone: n === 1 ? "a" : "b" } })),
  );
  /** The world as the last plan found it. */
  found: World = this.world;
  /** The plan last applied. */
  plan: Plan = { tasks: [], services: [], removed: [], wakeAtMs: null, events: [] };
  readonly #newTaskId = ids("t");
  readonly #newServiceId = ids("s");
  #serviceCount = 0;
  #nodeCount = 3;

  /** Lets it happen and reconciles once. */
  let(happening: Happening): void {
    this.#happen(happening);
    this.found = this.world;
    this.plan = this.look();
    this.world = applyPlan(this.world, this.plan);
  }

  /** The plan there would be now, or at another moment. */
  look(nowMs = this.nowMs): Plan {
    return reconcile(this.world, { nowMs, newId: this.#newTaskId });
  }

  /** Every node is heard and takes tasks, agents do what they are told, time passes, until nothing changes any more. */
  calm(): void {
    for (const node of this.world.nodes.values()) {
      this.#put("nodes", { ...node, state: "ready", availability: "active" });
    }
    for (let round = 0; round < 200; round += 1) {
      const before = this.world;
      this.let({ what: "agents-work" });
      if (this.world !== before) continue;
      if (this.plan.wakeAtMs === null || this.plan.wakeAtMs > this.nowMs + 3_600_000) return;
      this.nowMs = this.plan.wakeAtMs;
    }
    throw new Error("never calm");
  }

  #happen(one: Happening): void {
    const { nodes, services } = this.world;
    const service = "pick" in one ? [...services.values()][one.pick % Math.max(services.size, 1)] : undefined;
    const node = "pick" in one ? [...nodes.values()][one.pick % Math.max(nodes.size, 1)] : undefined;
    if (one.what === "create") this.#create(one.spec);
    else if (one.what === "add-node") this.#addNode();
    else if (one.what === "agents-work") this.#agentsWork();
    else if (one.what === "time") this.nowMs += one.ms;
    else if (one.what === "report") this.#report(one.pick, one.state);
    else if (one.what === "update" && service !== undefined) this.#update(service, one.spec);
    else if (one.what === "remove-service" && service !== undefined) this.#drop("services", service.id);
    else if (node === undefined) return;
    else if (one.what === "availability") this.#put("nodes", { ...node, availability: one.to });
    else if (one.what === "label") this.#put("nodes", { ...node, labels: { zone: one.zone } });
    else if (one.what === "remove-node" && node.state === "down") this.#drop("nodes", node.id);
    else if (one.what === "heard" && node.state !== one.to) {
      this.#put("nodes", { ...node, state: one.to, stateSinceMs: this.nowMs });
    }
  }

  #create(spec: SpecOver): void {
    if (this.world.services.size >= 4) return;
    this.#serviceCount += 1;
    this.#put(
      "services",
      aService({ ...spec, name: `svc${this.#serviceCount}` }, { id: this.#newServiceId() }),
    );
  }

  #update(service: Service, over: SpecOver): void {
    const { replicas, ...rest } = over;
    const changed = {
      ...updated(service, service.spec.mode.kind === "global" ? rest : over),
      previous: { spec: service.spec, document: service.document },
      update: null,
    };
    this.#put("services", replicas !== undefined && service.spec.mode.kind === "global" ? service : changed);
  }

  #addNode(): void {
    if (this.world.nodes.size >= 5) return;
    this.#nodeCount += 1;
    this.#put("nodes", aNode({ hostname: `node${this.#nodeCount}`, labels: { zone: "b" } }));
  }

  /** Tasks an agent that is heard knows of and that live. */
  #atAgents(): readonly Task[] {
    return [...this.world.tasks.values()].filter(
      (task) =>
        isAlive(task) &&
        task.state !== "pending" &&
        task.nodeId !== null &&
        this.world.nodes.get(task.nodeId)?.state === "ready",
    );
  }

  #agentsWork(): void {
    for (const task of this.#atAgents()) {
      this.#see(task, task.desired === "running" ? "running" : "shutdown");
    }
  }

  #report(which: number, state: ReportedState): void {
    const tasks = this.#atAgents();
    const task = tasks[which % Math.max(tasks.length, 1)];
    if (task !== undefined) this.#see(task, state);
  }

  #see(task: Task, state: ReportedState): void {
    const endpoints =
      state === "running" ? [{ target: 80, origin: `http://127.0.0.2:${task.id.length}` }] : [];
    const seen = {
      id: task.id,
      state,
      message: state,
      err: "",
      atMs: this.nowMs,
      endpoints,
      pid: null,
      exitCode: null,
    };
    const next = applyReport(task, { ...seen, health: state === "running" ? healthy : null });
    if (next !== task) this.#put("tasks", next);
  }

  #put<K extends keyof World>(
    kind: K,
    value: World[K] extends ReadonlyMap<string, infer T> ? T : never,
  ): void {
    const id = (value as { id: string }).id;
    this.world = { ...this.world, [kind]: new Map<string, unknown>(this.world[kind]).set(id, value) };
  }

  #drop(kind: keyof World, id: string): void {
    const map = new Map<string, unknown>(this.world[kind]);
    map.delete(id);
    this.world = { ...this.world, [kind]: map };
  }
}

/** A slot as a test sees it: wanted tasks, and which of them have to go. */
export type SeenSlot = {
  readonly key: string;
  readonly all: readonly Task[];
  readonly wanted: readonly Task[];
  readonly staying: readonly Task[];
  readonly leaving: readonly Task[];
  /** Dead by itself, and nothing followed. */
  readonly declined: boolean;
};

/** The slots of a service, seen with no help from reconcile's own index. */
export function slotsOf(service: Service, { nodes, tasks }: World): ReadonlyMap<string, SeenSlot> {
  const constraints = parseConstraints(service.spec.constraints);
  const groups = Map.groupBy(
    [...tasks.values()].filter((task) => task.serviceId === service.id && task.desired !== "remove"),
    (task) => (service.spec.mode.kind === "global" ? (task.nodeId ?? task.forNode ?? "") : String(task.slot)),
  );
  const seen = [...groups].map(([key, all]): [string, SeenSlot] => {
    const wanted = all.filter(isWanted);
    const goes = (task: Task) =>
      replacementReason(task, service, constraints, nodes.get(task.nodeId ?? "")) !== null;
    const declined = all.some((task) => task.desired === "running" && !isAlive(task));
    const staying = wanted.filter((task) => !goes(task));
    return [key, { key, all, wanted, staying, leaving: wanted.filter(goes), declined }];
  });
  return new Map(seen);
}
