// A simulated mesh without machines: fast-check draws operator commands, agent reports and passing time, and
// the world is reconciled after each of them, so that a property can be checked after every event.

import fc from "fast-check";
import { parseConstraints } from "../../../../src/domain/model/constraint.ts";
import { nextRunHash, runHash } from "../../../../src/domain/model/run-hash.ts";
import { isJob, isPerNode, type Service } from "../../../../src/domain/model/service.ts";
import { isAlive, isWanted, type Task } from "../../../../src/domain/model/task.ts";
import { applyReport, type ReportedState } from "../../../../src/domain/model/task-report.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { applyPlan, type Plan } from "../../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../../src/domain/orchestrator/reconcile.ts";
import { replacementReason } from "../../../../src/domain/orchestrator/replacement.ts";
import { firstWakeMs } from "../../../support/plans.ts";
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

/** An event of the simulation. `pick` selects one of the existing objects, by remainder. */
export type SimulatedEvent =
  | { readonly what: "create"; readonly spec: SpecOver }
  | { readonly what: "update"; readonly pick: number; readonly spec: SpecOver }
  | { readonly what: "remove-service"; readonly pick: number }
  | { readonly what: "availability"; readonly pick: number; readonly to: "active" | "pause" | "drain" }
  | { readonly what: "node-state"; readonly pick: number; readonly to: "ready" | "down" | "disconnected" }
  | { readonly what: "label"; readonly pick: number; readonly zone: string }
  | { readonly what: "remove-node"; readonly pick: number }
  | { readonly what: "add-node" }
  | { readonly what: "report"; readonly pick: number; readonly state: ReportedState }
  | { readonly what: "agents-work" }
  | { readonly what: "time"; readonly ms: number };

const pick = fc.nat(50);
const fourGib = 4 * 1024 ** 3;

const specs: fc.Arbitrary<SpecOver> = fc.record(
  {
    mode: fc.oneof(
      { weight: 4, arbitrary: fc.nat(5).map((replicas) => ({ kind: "replicated", replicas }) as const) },
      { weight: 1, arbitrary: fc.constant({ kind: "global" } as const) },
      { weight: 1, arbitrary: fc.constant({ kind: "global-job" } as const) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.nat(4), fc.nat(3))
          .map(
            ([completions, maxConcurrent]) =>
              ({ kind: "replicated-job", completions, maxConcurrent }) as const,
          ),
      },
    ),
    constraints: fc.constantFrom([], [], ["node.labels.zone==a"], ["node.labels.zone!=a"]),
    maxPerNode: fc.constantFrom(0, 0, 1, 2),
    reservations: fc.constantFrom(
      { nanoCpus: 0, memoryBytes: 0 },
      { nanoCpus: 1e9, memoryBytes: 0 },
      { nanoCpus: 0, memoryBytes: fourGib },
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

export const simulatedEvents: fc.Arbitrary<SimulatedEvent> = fc.oneof(
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
      what: fc.constant("node-state" as const),
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

/** A mesh that starts with three nodes. */
export class SimulatedMesh {
  nowMs = now;
  world: World = aWorld(
    [1, 2, 3].map((n) => aNode({ hostname: `node${n}`, labels: { zone: n === 1 ? "a" : "b" } })),
  );
  /** The world for which the last plan was made. */
  worldBefore: World = this.world;
  /** The last plan applied. */
  plan: Plan = { tasks: [], services: [], removed: [], wakes: new Map(), events: [] };
  readonly #newTaskId = ids("t");
  readonly #newServiceId = ids("s");
  #serviceCount = 0;
  #nodeCount = 3;

  /** Applies an event and reconciles once. */
  apply(event: SimulatedEvent): void {
    this.#applyEvent(event);
    this.worldBefore = this.world;
    this.plan = this.planAt();
    this.world = applyPlan(this.world, this.plan);
  }

  /** The plan of the current world, now or at another time. */
  planAt(nowMs = this.nowMs): Plan {
    return reconcile(this.world, { nowMs, newId: this.#newTaskId });
  }

  /** Makes every node ready and active, and lets agents work and time pass until nothing changes. */
  calmDown(): void {
    for (const node of this.world.nodes.values()) {
      this.#set("nodes", { ...node, state: "ready", availability: "active" });
    }
    for (let round = 0; round < 200; round += 1) {
      const before = this.world;
      this.apply({ what: "agents-work" });
      if (this.world !== before) continue;
      const wakeMs = firstWakeMs(this.plan);
      if (wakeMs === null || wakeMs > this.nowMs + 3_600_000) return;
      this.nowMs = wakeMs;
    }
    throw new Error("the mesh did not calm down");
  }

  #applyEvent(event: SimulatedEvent): void {
    const { nodes, services } = this.world;
    const service =
      "pick" in event ? [...services.values()][event.pick % Math.max(services.size, 1)] : undefined;
    const node = "pick" in event ? [...nodes.values()][event.pick % Math.max(nodes.size, 1)] : undefined;
    if (event.what === "create") this.#create(event.spec);
    else if (event.what === "add-node") this.#addNode();
    else if (event.what === "agents-work") this.#agentsWork();
    else if (event.what === "time") this.nowMs += event.ms;
    else if (event.what === "report") this.#report(event.pick, event.state);
    else if (event.what === "update" && service !== undefined) this.#update(service, event.spec);
    else if (event.what === "remove-service" && service !== undefined) this.#delete("services", service.id);
    else if (node === undefined) return;
    else if (event.what === "availability") this.#set("nodes", { ...node, availability: event.to });
    else if (event.what === "label") this.#set("nodes", { ...node, labels: { zone: event.zone } });
    else if (event.what === "remove-node" && node.state === "down") this.#delete("nodes", node.id);
    else if (event.what === "node-state" && node.state !== event.to) {
      this.#set("nodes", { ...node, state: event.to, stateSinceMs: this.nowMs });
    }
  }

  #create(spec: SpecOver): void {
    if (this.world.services.size >= 4) return;
    this.#serviceCount += 1;
    const bare = aService({ ...spec, name: `svc${this.#serviceCount}` }, { id: this.#newServiceId() });
    // A rollback hashes the document as well.
    const service = { ...bare, runHash: runHash(bare.spec, bare.document) };
    const job = { iteration: 0, startedAtMs: this.nowMs };
    this.#set("services", isJob(service.spec.mode) ? { ...service, job } : service);
  }

  #update(service: Service, over: SpecOver): void {
    const { replicas, ...rest } = over;
    const { kind } = service.spec.mode;
    const { job } = service;
    const next = updated(service, kind === "replicated" ? over : rest);
    const changed = {
      ...next,
      runHash: nextRunHash(service, next.spec, next.document),
      previous: { spec: service.spec, document: service.document },
      ...(job ? { job: { iteration: job.iteration + 1, startedAtMs: this.nowMs } } : { update: null }),
    };
    this.#set("services", replicas !== undefined && kind !== "replicated" ? service : changed);
  }

  #addNode(): void {
    if (this.world.nodes.size >= 5) return;
    this.#nodeCount += 1;
    this.#set("nodes", aNode({ hostname: `node${this.#nodeCount}`, labels: { zone: "b" } }));
  }

  /** Live tasks assigned to the agent of a ready node. */
  #tasksOnReadyNodes(): readonly Task[] {
    return [...this.world.tasks.values()].filter(
      (task) =>
        isAlive(task) &&
        task.state !== "pending" &&
        task.nodeId !== null &&
        this.world.nodes.get(task.nodeId)?.state === "ready",
    );
  }

  #agentsWork(): void {
    for (const task of this.#tasksOnReadyNodes()) {
      this.#observe(task, task.desired === "running" ? "running" : "shutdown");
    }
  }

  #report(which: number, state: ReportedState): void {
    const tasks = this.#tasksOnReadyNodes();
    const task = tasks[which % Math.max(tasks.length, 1)];
    if (task !== undefined) this.#observe(task, state);
  }

  #observe(task: Task, state: ReportedState): void {
    const endpoints =
      state === "running" ? [{ target: 80, origin: `http://127.0.0.2:${task.id.length}` }] : [];
    const observation = {
      id: task.id,
      state,
      message: state,
      err: "",
      atMs: this.nowMs,
      endpoints,
      pid: null,
      exitCode: null,
    };
    const next = applyReport(task, { ...observation, health: state === "running" ? healthy : null });
    if (next !== task) this.#set("tasks", next);
  }

  #set<K extends keyof World>(
    kind: K,
    value: World[K] extends ReadonlyMap<string, infer T> ? T : never,
  ): void {
    const id = (value as { id: string }).id;
    this.world = { ...this.world, [kind]: new Map<string, unknown>(this.world[kind]).set(id, value) };
  }

  #delete(kind: keyof World, id: string): void {
    const map = new Map<string, unknown>(this.world[kind]);
    map.delete(id);
    this.world = { ...this.world, [kind]: map };
  }
}

/** A slot's tasks, grouped without reconcile's own index. */
export type TestSlot = {
  readonly key: string;
  readonly all: readonly Task[];
  readonly wanted: readonly Task[];
  readonly staying: readonly Task[];
  readonly toReplace: readonly Task[];
  /** Its last task is dead and has no successor. */
  readonly isNotRestarted: boolean;
};

/** The slots of a service by number or node id. */
export function slotsOf(service: Service, { nodes, tasks }: World): ReadonlyMap<string, TestSlot> {
  const constraints = parseConstraints(service.spec.constraints);
  const groups = Map.groupBy(
    [...tasks.values()].filter((task) => task.serviceId === service.id && task.desired !== "remove"),
    (task) => (isPerNode(service.spec.mode) ? (task.nodeId ?? task.forNode ?? "") : String(task.slot)),
  );
  const slots = [...groups].map(([key, all]): [string, TestSlot] => {
    const wanted = all.filter(isWanted);
    const needsReplacement = (task: Task) =>
      replacementReason(task, service, constraints, nodes.get(task.nodeId ?? "")) !== null;
    const isNotRestarted = all.some((task) => task.desired === "running" && !isAlive(task));
    const staying = wanted.filter((task) => !needsReplacement(task));
    return [key, { key, all, wanted, staying, toReplace: wanted.filter(needsReplacement), isNotRestarted }];
  });
  return new Map(slots);
}
