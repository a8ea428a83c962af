import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConstraints } from "../../../../src/domain/model/constraint.ts";
import { canTakeTasks } from "../../../../src/domain/model/node.ts";
import { isJob, type Service } from "../../../../src/domain/model/service.ts";
import { isAlive, isWanted, type Task, taskStates } from "../../../../src/domain/model/task.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { isEmpty, type Plan } from "../../../../src/domain/orchestrator/plan.ts";
import { replacementReason } from "../../../../src/domain/orchestrator/replacement.ts";
import { firstWakeMs } from "../../../support/plans.ts";
import {
  type SimulatedEvent,
  SimulatedMesh,
  simulatedEvents,
  slotsOf,
  type TestSlot,
} from "./simulated-mesh.ts";

const desiredOrder = { running: 0, shutdown: 1, remove: 2 };

/**
 * Applies random events to a new mesh; `check` gets the mesh after each, and the world before it was
 * reconciled.
 */
function always(check: (mesh: SimulatedMesh, before: World) => void, numRuns = 300): void {
  fc.assert(
    fc.property(fc.array(simulatedEvents, { minLength: 1, maxLength: 40, size: "max" }), (events) => {
      const mesh = new SimulatedMesh();
      for (const event of events) {
        mesh.apply(event);
        check(mesh, mesh.worldBefore);
      }
    }),
    { numRuns },
  );
}

describe("after every event", () => {
  test("[C1] a plan has each task at most once, as changed or removed, and removes only existing tasks", () => {
    always(({ plan }, before) => {
      const named = [...plan.tasks.map(({ id }) => id), ...plan.removed];
      expect(new Set(named).size).toBe(named.length);
      for (const id of plan.removed) expect(before.tasks.has(id)).toBe(true);
    });
  });

  test("[C2] a world just reconciled is settled: a second plan at the same time is empty", () => {
    always((mesh) => {
      const secondPlan = mesh.planAt();
      expect(secondPlan).toMatchObject({ tasks: [], removed: [], events: [] });
    });
  });

  test("[C3] nothing changes by time alone before the plan's first wake-up", () => {
    always((mesh) => {
      const wakeMs = firstWakeMs(mesh.plan);
      expect(wakeMs === null || wakeMs > mesh.nowMs).toBe(true);
      const last = wakeMs === null ? mesh.nowMs + 365 * 86_400_000 : wakeMs - 1;
      expect(isEmpty(mesh.planAt(last))).toBe(true);
    });
  });

  test("[C4] a replicated service has as many slots as replicas, each with a wanted task or a dead one that is not restarted", () => {
    always(({ world }) => {
      for (const service of world.services.values()) {
        if (service.spec.mode.kind !== "replicated") continue;
        const slots = [...slotsOf(service, world).values()];
        expect(slots.length).toBe(service.spec.mode.replicas);
        for (const slot of slots) expect(slot.wanted.length > 0 || slot.isNotRestarted).toBe(true);
      }
    });
  });

  test("[C5] a pending task shows the reason", () => {
    always(({ world }) => {
      for (const task of world.tasks.values()) {
        if (task.state !== "pending") continue;
        expect(task).toMatchObject({ nodeId: null, desired: "running", message: "pending task scheduling" });
        expect(task.err).not.toBe("");
      }
    });
  });

  test("[C6] a slot has two wanted tasks only while an outgoing task runs until its replacement does, or until its spec is proven", () => {
    always(({ world, nowMs }) => {
      for (const slot of allSlots(world)) {
        const node = world.nodes.get(slot.key);
        // Reconciling leaves a global service's slot alone while its node is paused or not ready.
        if (node !== undefined && !canTakeTasks(node)) continue;
        expect(slot.staying.length).toBeLessThanOrEqual(1);
        expect(slot.toReplace.length).toBeLessThanOrEqual(1);
        const [stays] = slot.staying;
        const [leaves] = slot.toReplace;
        if (stays !== undefined && leaves !== undefined) {
          expect(leaves.state).toBe("running");
          if (stays.state === "running") expect(isProven(stays, world, nowMs)).toBe(false);
        }
      }
    });
  });

  test("[C7] a task that needs replacement and does not run is not wanted any more", () => {
    always(({ world }) => {
      for (const service of world.services.values()) {
        if (service.spec.mode.kind === "global") continue;
        for (const { toReplace } of slotsOf(service, world).values()) {
          for (const task of toReplace) expect(task.state).toBe("running");
        }
      }
    });
  });

  test("[C8] a global service has one slot for each node that is ready, active and meets its constraints", () => {
    always(({ world }) => {
      for (const service of world.services.values()) {
        if (service.spec.mode.kind !== "global") continue;
        const slots = slotsOf(service, world);
        for (const node of world.nodes.values()) {
          const slot = slots.get(node.id);
          const fits = service.spec.constraints.every(
            (text) => (node.labels.zone === "a") === text.includes("=="),
          );
          if (node.state === "ready" && node.availability === "active" && fits) {
            expect(slot !== undefined && (slot.wanted.length > 0 || slot.isNotRestarted)).toBe(true);
          }
          if (node.availability === "drain") expect(slot?.wanted ?? []).toEqual([]);
        }
        for (const key of slots.keys()) expect(world.nodes.has(key)).toBe(true);
      }
    });
  });

  test("[C9] a slot keeps at most four dead tasks, or as many as counting its restart attempts needs", () => {
    always(({ world }) => {
      for (const service of world.services.values()) {
        const limit = Math.max(4, service.spec.restart.maxAttempts + 1);
        for (const { all } of slotsOf(service, world).values()) {
          expect(all.filter((task) => !isAlive(task)).length).toBeLessThanOrEqual(limit);
        }
      }
    });
  });

  test("[C10] tasks of a removed service remain only while an agent has to stop them", () => {
    always(({ world }) => {
      for (const task of world.tasks.values()) {
        if (world.services.has(task.serviceId) && task.desired !== "remove") continue;
        expect(task.desired).toBe("remove");
        expect(isAlive(task) && taskStates[task.state] >= taskStates.assigned).toBe(true);
        const node = world.nodes.get(task.nodeId ?? "");
        expect(node !== undefined && node.state !== "down").toBe(true);
      }
    });
  });

  test("[C11] a task never moves, its observed and desired state only go forward, and its version rises with each change", () => {
    always(({ plan }, before) => {
      for (const task of plan.tasks) {
        const old = before.tasks.get(task.id);
        if (old === undefined) continue;
        expect(taskStates[task.state]).toBeGreaterThanOrEqual(taskStates[old.state]);
        expect(desiredOrder[task.desired]).toBeGreaterThanOrEqual(desiredOrder[old.desired]);
        if (old.nodeId !== null) expect(task.nodeId).toBe(old.nodeId);
        expect(task.runHash).toBe(old.runHash);
        expect(task.version).toBeGreaterThan(old.version);
      }
    });
  });

  test("[C12] reconciling changes states only to assign a task or to orphan a task of a lost node", () => {
    always(({ plan }, before) => {
      for (const task of plan.tasks) {
        const from = before.tasks.get(task.id)?.state ?? "pending";
        if (task.state === from) continue;
        expect([`${from} assigned`, `${from} orphaned`]).toContain(`${from} ${task.state}`);
        if (task.state === "assigned") expect(from).toBe("pending");
      }
    });
  });

  test("[C13] an update starts the replacement of no more running tasks at a time than its parallelism", () => {
    always(({ plan, world }, before) => {
      for (const service of world.services.values()) {
        const { parallelism } = service.spec.update;
        if (parallelism === 0 || service.spec.mode.kind === "global") continue;
        const begun = [...slotsOf(service, world).values()].filter(({ all }) =>
          beginsUpdate(service, all, plan, before),
        );
        expect(begun.length).toBeLessThanOrEqual(parallelism);
      }
    });
  });

  test("[C66] a job starts no task while its maximum are active, has one in a slot, and never repeats a completed slot", () => {
    always(({ plan, world }, before) => {
      for (const service of world.services.values()) {
        const { mode } = service.spec;
        if (!isJob(mode)) continue;
        const tasks = [...world.tasks.values()].filter(
          (task) =>
            task.serviceId === service.id &&
            task.jobIteration === service.job?.iteration &&
            task.desired !== "remove",
        );
        const bySlot = Map.groupBy(tasks, (task) =>
          mode.kind === "global-job" ? (task.nodeId ?? task.forNode ?? "") : String(task.slot),
        );
        const isOnUpNode = ({ nodeId }: Task) =>
          nodeId === null || (world.nodes.get(nodeId)?.state ?? "down") !== "down";
        for (const slot of bySlot.values()) {
          expect(slot.filter(isWanted).filter(isOnUpNode).length).toBeLessThanOrEqual(1);
          if (slot.some(({ state }) => state === "complete")) {
            expect(slot.filter(isWanted).filter(isOnUpNode)).toEqual([]);
          }
        }
        if (mode.kind !== "replicated-job") continue;
        // Tasks that came back with their node exceed the maximum, and end before another one starts.
        if (!plan.tasks.some((task) => !before.tasks.has(task.id) && tasks.includes(task))) continue;
        const active = tasks.filter((task) => isAlive(task) && isOnUpNode(task));
        expect(active.length).toBeLessThanOrEqual(mode.maxConcurrent);
      }
    });
  });

  test("[S1] no node exceeds its replicas per node, reserved memory and cores, or host-mode ports", () => {
    always(({ plan, world }) => {
      for (const task of plan.tasks) {
        const node = task.state === "assigned" ? world.nodes.get(task.nodeId ?? "") : undefined;
        if (node === undefined || !isWanted(task)) continue;
        const onNode = [...world.tasks.values()].filter(({ nodeId }) => nodeId === node.id).filter(isAlive);
        const service = world.services.get(task.serviceId);
        const rivals = onNode.filter(
          (other) => isWanted(other) && other.serviceId === task.serviceId && other.slot !== task.slot,
        );
        const { maxPerNode = 0 } = service?.spec ?? {};
        // An outgoing task and its successor count as one.
        if (maxPerNode > 0) expect(new Set(rivals.map(({ slot }) => slot)).size).toBeLessThan(maxPerNode);
        if (service?.ports.some(({ mode }) => mode === "host")) expect(rivals).toEqual([]);
        const reserved = onNode.map(({ serviceId }) => world.services.get(serviceId)?.spec.reservations);
        if ((service?.spec.reservations.memoryBytes ?? 0) > 0) {
          const memory = reserved.reduce((sum, reservation) => sum + (reservation?.memoryBytes ?? 0), 0);
          expect(memory).toBeLessThanOrEqual(node.resources.memoryBytes);
        }
        if ((service?.spec.reservations.nanoCpus ?? 0) > 0) {
          const cores = reserved.reduce((sum, reservation) => sum + (reservation?.nanoCpus ?? 0), 0);
          expect(cores).toBeLessThanOrEqual(node.resources.nanoCpus);
        }
      }
    });
  });

  test("[S2] a task is placed only on a ready and active node, and not before its delay is over", () => {
    always(({ plan, world, nowMs }, before) => {
      for (const task of plan.tasks) {
        if (task.state !== "assigned" || before.tasks.get(task.id)?.state === "assigned") continue;
        expect(world.nodes.get(task.nodeId ?? "")).toMatchObject({ state: "ready", availability: "active" });
        expect(task.notBeforeMs).toBeLessThanOrEqual(nowMs);
      }
    });
  });
});

describe("bounded churn in a calm mesh", () => {
  test("[C14] the loss of a node changes only its own tasks", () => {
    afterCalm({ what: "node-state", pick: 0, to: "down" }, ({ plan, lost, before, world }) => {
      for (const task of plan.tasks) {
        const old = before.tasks.get(task.id);
        if (old !== undefined && old.nodeId !== lost) expect(sameButReason(old, task)).toBe(true);
      }
      const made = plan.tasks.filter(({ id }) => !before.tasks.has(id));
      const own = [...before.tasks.values()].filter(
        (task) =>
          task.nodeId === lost &&
          isWanted(task) &&
          world.services.get(task.serviceId)?.spec.mode.kind.startsWith("replicated"),
      );
      expect(made.map(slotName).sort()).toEqual(own.map(slotName).sort());
    });
  });

  test("[C15] draining a node changes only its own tasks", () => {
    afterCalm({ what: "availability", pick: 0, to: "drain" }, ({ plan, lost, before }) => {
      for (const task of plan.tasks) {
        const old = before.tasks.get(task.id);
        if (old !== undefined && old.nodeId !== lost) expect(sameButReason(old, task)).toBe(true);
      }
    });
  });

  test("[C16] scaling up by k creates k tasks and changes no other", () => {
    fc.assert(
      fc.property(calmMeshes, fc.nat(5), (mesh, k) => {
        const service = replicated(mesh);
        if (service === undefined) return;
        const replicas = service.spec.mode.replicas + k;
        const before = mesh.world;
        mesh.apply({ what: "update", pick: service.at, spec: { replicas } });
        const made = mesh.plan.tasks.filter(({ id }) => !before.tasks.has(id));
        expect(made.length).toBe(k);
        for (const task of mesh.plan.tasks) {
          const old = before.tasks.get(task.id);
          if (old !== undefined) expect(sameButReason(old, task)).toBe(true);
        }
        expect(mesh.plan.removed).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test("[C17] scaling down by k removes k slots, from the fullest nodes, and creates no task", () => {
    fc.assert(
      fc.property(calmMeshes, fc.nat(5), (mesh, k) => {
        const service = replicated(mesh);
        if (service === undefined) return;
        const replicas = Math.max(0, service.spec.mode.replicas - k);
        const before = mesh.world;
        mesh.apply({ what: "update", pick: service.at, spec: { replicas } });
        expect(mesh.plan.tasks.filter(({ id }) => !before.tasks.has(id))).toEqual([]);
        const removed = [...before.tasks.values()].filter((task) => {
          const after = mesh.world.tasks.get(task.id);
          return task.desired !== "remove" && (after === undefined || after.desired === "remove");
        });
        const slots = new Set(removed.map(slotName));
        expect(slots.size).toBe(service.spec.mode.replicas - replicas);
      }),
      { numRuns: 150 },
    );
  });

  test("[C18] a mesh without a replacement or update in progress does not change when it is reconciled again", () => {
    fc.assert(
      fc.property(calmMeshes, (mesh) => {
        const before = mesh.world;
        mesh.apply({ what: "agents-work" });
        expect(mesh.world).toBe(before);
        for (const slot of allSlots(mesh.world)) {
          for (const task of slot.wanted) expect(["running", "pending"]).toContain(task.state);
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** Meshes with a history, without an update or a replacement in progress. */
const calmMeshes = fc
  .array(simulatedEvents, { minLength: 3, maxLength: 25, size: "max" })
  .map((events) => {
    const mesh = new SimulatedMesh();
    mesh.apply({ what: "create", spec: { replicas: 4 } });
    for (const event of events) mesh.apply(event);
    mesh.calmDown();
    return mesh;
  })
  .filter(({ world }) => allSlots(world).every(({ toReplace }) => toReplace.length === 0));

type Churn = { readonly plan: Plan; readonly lost: string; readonly before: World; readonly world: World };

/** Applies an event to the first node of a calm mesh, which is ready and active. */
function afterCalm(event: SimulatedEvent, check: (churn: Churn) => void): void {
  fc.assert(
    fc.property(calmMeshes, (mesh) => {
      const [node] = mesh.world.nodes.values();
      if (node === undefined) return;
      const before = mesh.world;
      mesh.apply(event);
      check({ plan: mesh.plan, lost: node.id, before, world: mesh.world });
    }),
    { numRuns: 150 },
  );
}

function replicated({ world }: SimulatedMesh) {
  const all = [...world.services.values()];
  const at = all.findIndex(({ spec }) => spec.mode.kind === "replicated");
  const service = all[at];
  if (service === undefined || service.spec.mode.kind !== "replicated") return undefined;
  return { ...service, spec: { ...service.spec, mode: service.spec.mode }, at };
}

function allSlots(world: World): readonly TestSlot[] {
  return [...world.services.values()].flatMap((service) => [...slotsOf(service, world).values()]);
}

/** True if the plan replaces a running task of the slot only because of an update. */
function beginsUpdate(service: Service, all: readonly Task[], plan: Plan, before: World): boolean {
  if (!plan.tasks.some((task) => !before.tasks.has(task.id) && all.includes(task))) return false;
  // A slot whose new task failed is restarted, which does not count: its update started before.
  if (all.some(({ id }) => before.tasks.get(id)?.runHash === service.runHash)) return false;
  const constraints = parseConstraints(service.spec.constraints);
  return all.some(({ id }) => {
    const old = before.tasks.get(id);
    if (old === undefined || !isWanted(old) || old.state !== "running") return false;
    return replacementReason(old, service, constraints, before.nodes.get(old.nodeId ?? "")) === "update";
  });
}

/** True if a task of the same spec has run for the monitor period, of a rollback while there is one. */
function isProven({ serviceId, runHash }: Task, world: World, nowMs: number): boolean {
  const service = world.services.get(serviceId);
  const isRollback = service?.update?.state.startsWith("rollback") === true;
  const { monitorMs = 5_000 } = (isRollback ? service.spec.rollback : service?.spec.update) ?? {};
  return [...world.tasks.values()].some(
    (task) =>
      task.runHash === runHash &&
      task.serviceId === serviceId &&
      isWanted(task) &&
      world.nodes.get(task.nodeId ?? "")?.state !== "down" &&
      (task.ranSinceMs ?? nowMs) <= nowMs - Math.max(monitorMs, 1_000),
  );
}

function slotName({ serviceId, slot }: Task): string {
  return `${serviceId} ${slot}`;
}

/** True if the tasks differ only in the reason why they are pending. */
function sameButReason(a: Task, b: Task): boolean {
  return JSON.stringify({ ...a, err: "", version: 0 }) === JSON.stringify({ ...b, err: "", version: 0 });
}
