import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MeshNode } from "../../../../src/domain/model/node.ts";
import type { Service, UpdatePolicy } from "../../../../src/domain/model/service.ts";
import { isAlive, isWanted, type Task } from "../../../../src/domain/model/task.ts";
import { applyReport, type ReportedState } from "../../../../src/domain/model/task-report.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { applyPlan, isEmpty } from "../../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../../src/domain/orchestrator/reconcile.ts";
import { aNode, aService, aTask, aWorld, healthy, ids, now, updated } from "../../../support/world.ts";

/** What happens during an update. `pick` selects one of the live tasks of a new spec, by remainder. */
type Happening =
  | { readonly what: "start"; readonly pick: number }
  | { readonly what: "end"; readonly pick: number; readonly how: "failed" | "complete" | "rejected" }
  | { readonly what: "sick"; readonly pick: number }
  | { readonly what: "stop-old" }
  | { readonly what: "time"; readonly ms: number }
  | { readonly what: "update"; readonly version: number; readonly replicas: number }
  | { readonly what: "node"; readonly pick: number; readonly to: "ready" | "down" };

const pick = fc.nat(20);
const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: pick.map((n) => ({ what: "start", pick: n }) as const) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(pick, fc.constantFrom("failed", "complete", "rejected"))
      .map(([n, how]) => ({ what: "end", pick: n, how }) as const),
  },
  { weight: 1, arbitrary: pick.map((n) => ({ what: "sick", pick: n }) as const) },
  { weight: 4, arbitrary: fc.constant({ what: "stop-old" } as const) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(1, 500, 1_000, 2_500).map((ms) => ({ what: "time", ms }) as const),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 2, max: 4 }), fc.nat(2))
      .map(([version, more]) => ({ what: "update", version, replicas: 4 + more }) as const),
  },
);
const nodeHappenings: fc.Arbitrary<Happening> = fc
  .tuple(fc.nat(2), fc.constantFrom("ready", "down"))
  .map(([n, to]) => ({ what: "node", pick: n, to }) as const);

const policies: fc.Arbitrary<UpdatePolicy> = fc.record({
  parallelism: fc.constantFrom(1, 1, 2, 3),
  order: fc.constantFrom("start-first", "stop-first"),
  delayMs: fc.constantFrom(0, 0, 2_000, 10_000),
  monitorMs: fc.constantFrom(100, 3_000, 5_000, 60_000),
  maxFailureRatio: fc.constantFrom(0, 0, 0.25, 0.5),
  failureAction: fc.constantFrom("pause", "rollback", "continue"),
});

const replicas = 4;

/** Four running tasks of version 1 on three nodes, whose service is updated again and again. */
class UpdatedMesh {
  nowMs = now;
  world: World;
  readonly policy: UpdatePolicy;
  /** Slots that ever lost a node: their tasks are replaced whatever the update does. */
  readonly slotsOfLostNodes = new Set<number>();
  readonly #newId = ids("t");
  #replicas = replicas;

  constructor(policy: UpdatePolicy) {
    this.policy = policy;
    const nodes = [1, 2, 3].map((n) => aNode({ hostname: `node${n}` }));
    const old = aService({ replicas, update: policy, rollback: policy });
    const tasks = [1, 2, 3, 4].map((slot) => aTask(old, { slot, nodeId: nodes[slot % 3]?.id ?? null }));
    this.world = aWorld(nodes, [old], tasks);
    this.apply({ what: "update", version: 2, replicas });
  }

  get service(): Service {
    const [service] = this.world.services.values();
    if (service === undefined) throw new Error("no service");
    return service;
  }

  isOld = (task: Task) => task.run.env.length === 0;

  /** Live tasks of version 1 that run, should run and are on a node that is up. */
  oldRunning(): readonly Task[] {
    return [...this.world.tasks.values()].filter(
      (task) => this.isOld(task) && isWanted(task) && task.state === "running",
    );
  }

  /** True once a task of a new version ran for the monitor time. */
  isProven(): boolean {
    const monitorMs = Math.max(this.policy.monitorMs ?? 5_000, 1_000);
    return [...this.world.tasks.values()].some(
      (task) =>
        !this.isOld(task) &&
        task.ranSinceMs !== undefined &&
        (task.endedAtMs ?? this.nowMs) - task.ranSinceMs >= monitorMs,
    );
  }

  apply(happening: Happening): void {
    if (happening.what === "time") this.nowMs += happening.ms;
    else if (happening.what === "update") this.#update(happening);
    else if (happening.what === "node") this.#node(happening.pick, happening.to);
    else if (happening.what === "stop-old") this.#stopOld();
    else this.#report(happening);
    for (let round = 0; round < 10; round += 1) {
      const plan = reconcile(this.world, { nowMs: this.nowMs, newId: this.#newId });
      if (isEmpty(plan)) return;
      this.world = applyPlan(this.world, plan);
    }
    throw new Error("the mesh does not settle");
  }

  #update({ version, replicas: wanted }: { version: number; replicas: number }): void {
    const { service } = this;
    // A rollback would scale down again, and scaling down removes slots whatever their tasks do.
    const mayRaise = this.policy.failureAction !== "rollback";
    const slots = mayRaise ? Math.max(wanted, this.#replicas) : replicas;
    this.#replicas = slots;
    const next = updated(service, { run: { env: [`VERSION=${version}`] }, replicas: slots });
    const previous = { spec: service.spec, document: service.document };
    this.#put("services", { ...next, previous, update: null });
  }

  #node(which: number, state: "ready" | "down"): void {
    const node = [...this.world.nodes.values()][which];
    if (node === undefined) return;
    if (state === "down") {
      for (const task of this.world.tasks.values())
        if (task.nodeId === node.id) this.slotsOfLostNodes.add(task.slot);
    }
    this.#put("nodes", { ...node, state, stateSinceMs: this.nowMs });
  }

  #stopOld(): void {
    for (const task of this.world.tasks.values())
      if (task.desired === "shutdown" && isAlive(task)) this.#observe(task, "shutdown");
  }

  #report(happening: Extract<Happening, { pick: number }>): void {
    const live = [...this.world.tasks.values()].filter(
      (task) => !this.isOld(task) && task.nodeId !== null && isWanted(task),
    );
    const task = live[happening.pick % Math.max(1, live.length)];
    if (task === undefined || this.world.nodes.get(task.nodeId ?? "")?.state === "down") return;
    if (happening.what === "start") this.#observe(task, "running");
    else if (happening.what === "end") this.#observe(task, happening.how);
    else if (happening.what === "sick" && task.state === "running") {
      this.#put("tasks", { ...task, health: { ...healthy, verdict: "unhealthy", sinceMs: this.nowMs } });
    }
  }

  #observe(task: Task, state: ReportedState): void {
    const observed = { ...task, state, atMs: this.nowMs, health: state === "running" ? healthy : null };
    this.#put("tasks", applyReport(task, observed));
  }

  #put(kind: "nodes" | "services" | "tasks", value: MeshNode | Service | Task): void {
    this.world = { ...this.world, [kind]: new Map<string, unknown>(this.world[kind]).set(value.id, value) };
  }
}

/** Checks after each of many random events, as long as no new version is proven. */
function whileUnproven(
  policy: fc.Arbitrary<UpdatePolicy>,
  events: fc.Arbitrary<Happening>,
  check: (mesh: UpdatedMesh) => void,
): void {
  fc.assert(
    fc.property(policy, fc.array(events, { minLength: 1, maxLength: 40, size: "max" }), (chosen, all) => {
      const mesh = new UpdatedMesh(chosen);
      for (const event of all) {
        mesh.apply(event);
        if (mesh.isProven()) return;
        check(mesh);
      }
    }),
    { numRuns: 150 },
  );
}

describe("while no task of a new spec has run for the monitor time", () => {
  test("[C54] with start-first every old task runs on, whatever the new tasks do and the failure action is", () => {
    const startFirst = policies.map((policy) => ({ ...policy, order: "start-first" as const }));
    whileUnproven(startFirst, happenings, (mesh) => {
      expect(mesh.oldRunning().length).toBe(replicas);
    });
  });

  test("[C54] with start-first no old task is stopped because of the update when nodes are lost", () => {
    const startFirst = policies.map((policy) => ({ ...policy, order: "start-first" as const }));
    whileUnproven(startFirst, fc.oneof(happenings, happenings, nodeHappenings), (mesh) => {
      const slots = new Set(mesh.oldRunning().map(({ slot }) => slot));
      const lost = [1, 2, 3, 4].filter((slot) => !slots.has(slot) && !mesh.slotsOfLostNodes.has(slot));
      expect(lost).toEqual([]);
    });
  });

  test("[C53] an update takes no more slots than its parallelism, plus those that may fail, whatever the order", () => {
    const stopping = policies.filter(({ failureAction }) => failureAction !== "continue");
    whileUnproven(stopping, happenings, (mesh) => {
      const { parallelism, maxFailureRatio = 0 } = mesh.policy;
      const untouched = new Set(mesh.oldRunning().map(({ slot }) => slot));
      for (const task of mesh.world.tasks.values())
        if (!mesh.isOld(task) && isWanted(task)) untouched.delete(task.slot);
      const touched = [1, 2, 3, 4].filter((slot) => !untouched.has(slot));
      expect(touched.length).toBeLessThanOrEqual(parallelism + Math.floor(maxFailureRatio * 6));
    });
  });
});
