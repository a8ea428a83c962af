import { expect, test } from "vitest";
import type { ServiceSpec } from "../../../src/domain/model/service.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import { input, TestMesh } from "./harness.ts";

type Policy = Partial<ServiceSpec["update"]>;

/** The spec of a version of the one service. */
function specOf(version: number, update: Policy = {}, rollback?: Policy): Partial<ServiceSpec> {
  const { spec } = input("my-web");
  return {
    mode: { kind: "replicated", replicas: 4 },
    run: { ...spec.run, env: [`VERSION=${version}`] },
    update: { parallelism: 1, order: "start-first", ...update },
    ...(rollback && { rollback: { parallelism: 1, order: "start-first", ...rollback } }),
  };
}

/** A mesh with four running tasks of version 1 on two nodes. */
function running(update: Policy = {}, rollback?: Policy): TestMesh {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.node("node2");
  mesh.service("my-web", specOf(1, update, rollback));
  mesh.work();
  mesh.pass(60_000);
  return mesh;
}

function update(mesh: TestMesh, change: Partial<ServiceSpec>): void {
  change = { ports: [{ target: 80, mode: "ingress" }], ...change };
  const result = mesh.registry.updateService(
    "my-web",
    serviceOf(mesh).version,
    input("my-web", change),
    "operator",
  );
  if (!result.ok) throw new Error(result.problem.message);
}

function serviceOf({ registry }: TestMesh) {
  const [service] = registry.services();
  if (service === undefined) throw new Error("no service");
  return service;
}

const stateOf = (mesh: TestMesh) => serviceOf(mesh).update?.state ?? null;

const isOf = (version: number) => (task: Task) => task.run.env[0] === `VERSION=${version}`;

/** Number of tasks of a version that run and should run. */
function runningOf(mesh: TestMesh, version: number): number {
  return mesh.running("my-web").filter(isOf(version)).length;
}

/** Agents start all placed tasks. Returns how many. */
function startPlaced(mesh: TestMesh): number {
  const placed = mesh.tasks().filter(({ state }) => state === "assigned");
  for (const task of placed) mesh.report(task, { state: "running" });
  return placed.length;
}

/** An agent rejects a placed task. Returns the task's id. */
function reject(mesh: TestMesh): string {
  const task = mesh.tasks().find(({ state }) => state === "assigned");
  if (task === undefined) throw new Error("no task is placed");
  mesh.pass(1);
  mesh.report(task, { state: "rejected", err: "no such image" });
  return task.id;
}

/** Agents work until the update's trial, its slots and its monitor time are over. */
function finish(mesh: TestMesh): void {
  for (let turn = 0; turn < 3; turn += 1) {
    mesh.pass(5_000);
    mesh.work();
  }
  mesh.pass(60_000);
}

test("[V14] a new service has no update status, and an update that changes no task gets none", () => {
  const mesh = running();
  expect(stateOf(mesh)).toBeNull();
  update(mesh, { ...specOf(1), labels: { team: "a" } });
  expect(stateOf(mesh)).toBeNull();
});

test("[V15] an update replaces as many slots at a time as its parallelism, and waits the delay in between", () => {
  const mesh = running();
  update(mesh, specOf(2, { parallelism: 2, delayMs: 2_000, monitorMs: 1_000 }));
  expect(serviceOf(mesh).update).toMatchObject({
    state: "updating",
    message: "update in progress",
    slots: 4,
  });
  expect(startPlaced(mesh)).toBe(2);
  expect(startPlaced(mesh)).toBe(0);
  mesh.pass(1_999);
  expect(startPlaced(mesh)).toBe(0);
  mesh.pass(1);
  expect(startPlaced(mesh)).toBe(2);
  expect(runningOf(mesh, 2)).toBe(4);
});

test("[V16] an update is completed when all its tasks ran for the monitor time, and at least 1 s", () => {
  for (const [monitorMs, heldMs] of [
    [5_000, 5_000],
    [1, 1_000],
  ] as const) {
    const mesh = running();
    update(mesh, specOf(2, { parallelism: 0, monitorMs }));
    mesh.work();
    mesh.pass(heldMs - 1);
    expect(serviceOf(mesh).update).toMatchObject({ state: "updating", completedAtMs: null });
    mesh.pass(1);
    expect(serviceOf(mesh).update).toMatchObject({
      state: "completed",
      message: "update completed",
      completedAtMs: mesh.nowMs,
    });
    update(mesh, specOf(3));
    expect(serviceOf(mesh).update).toMatchObject({ state: "updating", completedAtMs: null });
  }
});

test("[V17] a rejected task pauses the update; the old tasks keep serving and no other slot is changed", () => {
  const mesh = running();
  update(mesh, specOf(2));
  const id = reject(mesh);
  expect(serviceOf(mesh).update).toMatchObject({
    state: "paused",
    message: `update paused due to failure or early termination of task ${id}`,
  });
  mesh.pass(600_000);
  expect(runningOf(mesh, 1)).toBe(4);
  expect(
    new Set(
      mesh
        .tasks()
        .filter(isOf(2))
        .map(({ slot }) => slot),
    ).size,
  ).toBe(1);
});

test("[V18] a task that ends within its monitor time counts as a failure; a task that ends later does not", () => {
  for (const [afterMs, state] of [
    [5_000, "paused"],
    [5_001, "updating"],
  ] as const) {
    const mesh = running();
    update(mesh, specOf(2, { delayMs: 4_000, monitorMs: 5_000 }));
    startPlaced(mesh);
    const [task] = mesh.running("my-web").filter(isOf(2));
    mesh.pass(afterMs);
    if (task) mesh.report(task, { state: "failed", exitCode: 1 });
    expect(stateOf(mesh)).toBe(state);
  }
});

test("[V19] a monitor time not longer than the delay is extended to the delay plus one second", () => {
  const mesh = running();
  update(mesh, specOf(2, { delayMs: 10_000 }));
  startPlaced(mesh);
  const [task] = mesh.running("my-web").filter(isOf(2));
  mesh.pass(10_900);
  if (task) mesh.report(task, { state: "failed", exitCode: 1 });
  expect(stateOf(mesh)).toBe("paused");
});

test("[V20] the failure action is taken only if more slots fail than the ratio allows, each slot counted once", () => {
  const mesh = running();
  update(mesh, specOf(2, { maxFailureRatio: 0.25 }));
  reject(mesh);
  expect(stateOf(mesh)).toBe("updating");
  mesh.pass(0);
  reject(mesh);
  expect(stateOf(mesh)).toBe("updating");
  mesh.pass(10);
  const second = mesh.tasks().find(({ state, slot }) => state === "assigned" && slot === 2);
  if (second) mesh.report(second, { state: "rejected" });
  expect(stateOf(mesh)).toBe("paused");
});

test("[V21] with failure action continue an update continues past failed slots", () => {
  const mesh = running();
  update(mesh, specOf(2, { failureAction: "continue" }));
  reject(mesh);
  for (let times = 0; times < 20; times += 1) {
    mesh.pass(2_000);
    for (const task of mesh.tasks()) {
      if (task.state !== "assigned") continue;
      mesh.report(task, { state: task.slot === 1 ? "rejected" : "running" });
    }
  }
  expect(runningOf(mesh, 2)).toBe(3);
  expect(runningOf(mesh, 1)).toBe(1);
  mesh.pass(5_000);
  expect(stateOf(mesh)).toBe("completed");
});

test("[V22] with failure action rollback the previous spec is restored by the rollback policy, and only once", () => {
  const mesh = running({}, { parallelism: 0 });
  update(mesh, { ...specOf(2, { parallelism: 2, failureAction: "rollback" }) });
  startPlaced(mesh);
  mesh.pass(10);
  const { version } = serviceOf(mesh);
  const [crashed] = mesh.running("my-web").filter(isOf(2));
  if (crashed) mesh.report(crashed, { state: "failed", exitCode: 1 });
  const id = crashed?.id;
  expect(serviceOf(mesh).update).toMatchObject({
    state: "rollback_started",
    message: `update rolled back due to failure or early termination of task ${id}`,
  });
  expect(serviceOf(mesh)).toMatchObject({ version: version + 1, previous: null });
  expect(serviceOf(mesh).spec.run.env).toEqual(["VERSION=1"]);
  mesh.pass(1);
  mesh.work();
  expect(runningOf(mesh, 1)).toBe(4);
  mesh.pass(5_000);
  expect(serviceOf(mesh).update).toMatchObject({
    state: "rollback_completed",
    message: "rollback completed",
  });
  const again = mesh.registry.updateService("my-web", serviceOf(mesh).version, "rollback", "operator");
  expect(again.ok).toBe(false);
});

test("[V23] a manual rollback swaps the specs, so that a second one restores the first", () => {
  const mesh = running();
  update(mesh, specOf(2));
  mesh.work();
  finish(mesh);
  for (const version of [1, 2]) {
    mesh.registry.updateService("my-web", serviceOf(mesh).version, "rollback", "operator");
    expect(serviceOf(mesh).update).toMatchObject({
      state: "rollback_started",
      message: "manually requested rollback",
    });
    mesh.pass(1);
    mesh.work();
    finish(mesh);
    expect(runningOf(mesh, version)).toBe(4);
    expect(stateOf(mesh)).toBe("rollback_completed");
  }
});

test("[V24] a rollback that fails pauses and is never rolled back", () => {
  const mesh = running({ failureAction: "rollback" });
  update(mesh, specOf(2, { failureAction: "rollback" }));
  mesh.work();
  finish(mesh);
  mesh.registry.updateService("my-web", serviceOf(mesh).version, "rollback", "operator");
  mesh.pass(1);
  const id = reject(mesh);
  expect(serviceOf(mesh).update).toMatchObject({
    state: "rollback_paused",
    message: `rollback paused due to failure or early termination of task ${id}`,
  });
});

test("[V25] a new update ends the one in progress; the same spec again resumes a paused one", () => {
  const mesh = running();
  update(mesh, specOf(2));
  reject(mesh);
  mesh.pass(60_000);
  const { version } = serviceOf(mesh);
  update(mesh, specOf(2));
  expect(serviceOf(mesh)).toMatchObject({ version, update: { state: "updating", startedAtMs: mesh.nowMs } });
  update(mesh, specOf(3));
  mesh.pass(1);
  mesh.work();
  finish(mesh);
  expect(runningOf(mesh, 3)).toBe(4);
  expect(stateOf(mesh)).toBe("completed");
});

test("[V26] an update continues where it was when the registry restarts in the middle of it", () => {
  const mesh = running();
  update(mesh, specOf(2, { delayMs: 2_000, monitorMs: 1_000 }));
  for (let times = 0; times < 4; times += 1) {
    mesh.restart([...mesh.sockets.keys()]);
    expect(startPlaced(mesh)).toBe(1);
    mesh.restart([...mesh.sockets.keys()]);
    mesh.pass(2_000);
  }
  mesh.pass(5_000);
  expect(stateOf(mesh)).toBe("completed");
});

/** The tasks of version 2 that run crash. Returns how many. */
function crashNew(mesh: TestMesh): number {
  const crashing = mesh.running("my-web").filter(isOf(2));
  for (const task of crashing) mesh.report(task, { state: "failed", exitCode: 1 });
  return crashing.length;
}

test("[C53] [C54] a task that crashes after a second stops the update at its first slots, and costs none with start-first", () => {
  for (const [policy, runningOld, slotsWithNew] of [
    [{ parallelism: 1 }, 4, 1],
    [{ parallelism: 2 }, 4, 2],
    [{ parallelism: 1, order: "stop-first" }, 3, 1],
    [{ parallelism: 2, order: "stop-first" }, 2, 2],
  ] as const) {
    const mesh = running();
    update(mesh, specOf(2, policy));
    mesh.work();
    mesh.pass(1_000);
    expect(crashNew(mesh)).toBe(policy.parallelism);
    mesh.pass(600_000);
    expect(stateOf(mesh)).toBe("paused");
    expect(runningOf(mesh, 1)).toBe(runningOld);
    const slots = mesh.tasks().filter(isOf(2));
    expect(new Set(slots.map(({ slot }) => slot)).size).toBe(slotsWithNew);
  }
});

test("[C54] the old task of a slot stops when its spec is proven, and the next slot turns at the same time", () => {
  const mesh = running();
  update(mesh, specOf(2));
  mesh.work();
  mesh.pass(4_999);
  mesh.work();
  expect([runningOf(mesh, 1), runningOf(mesh, 2)]).toEqual([4, 1]);
  mesh.pass(1);
  expect(startPlaced(mesh)).toBe(1);
  expect([runningOf(mesh, 1), runningOf(mesh, 2)]).toEqual([2, 2]);
});

test("[C55] once a task has proven the spec, each slot turns as soon as the task before it runs", () => {
  const mesh = running();
  update(mesh, specOf(2));
  mesh.work();
  mesh.pass(5_000);
  mesh.work();
  expect([runningOf(mesh, 1), runningOf(mesh, 2)]).toEqual([0, 4]);
  mesh.pass(5_000);
  expect(stateOf(mesh)).toBe("completed");
});

test("[C55] the trial goes on when the only task that proved the spec ends", () => {
  const mesh = running();
  update(mesh, specOf(2, { monitorMs: 2_000 }));
  startPlaced(mesh);
  mesh.pass(2_001);
  expect(crashNew(mesh)).toBe(1);
  mesh.pass(0);
  startPlaced(mesh);
  expect(runningOf(mesh, 2)).toBeGreaterThan(0);
  expect(runningOf(mesh, 1)).toBeGreaterThanOrEqual(2);
  expect(startPlaced(mesh)).toBe(0);
});

test("[C56] a rollback during the trial returns at once to the tasks that never stopped", () => {
  const mesh = running();
  update(mesh, specOf(2, { failureAction: "rollback" }));
  mesh.work();
  mesh.pass(1_000);
  crashNew(mesh);
  expect(runningOf(mesh, 1)).toBe(4);
  mesh.pass(1_000);
  expect(mesh.tasks().filter((task) => isOf(2)(task) && task.desired === "running")).toEqual([]);
  expect(stateOf(mesh)).toBe("rollback_completed");
});

test("[C56] a rollback whose spec no running task has proven is on trial, by the rollback policy", () => {
  const mesh = running({}, { monitorMs: 2_000 });
  update(mesh, specOf(2, {}, { monitorMs: 2_000 }));
  mesh.work();
  finish(mesh);
  mesh.registry.updateService("my-web", serviceOf(mesh).version, "rollback", "operator");
  mesh.work();
  mesh.pass(1_999);
  expect(startPlaced(mesh)).toBe(0);
  expect(runningOf(mesh, 2)).toBe(4);
  mesh.pass(1);
  expect(startPlaced(mesh)).toBe(1);
});

test("[C57] parallelism 0 has no trial: all slots turn at once", () => {
  const mesh = running();
  update(mesh, specOf(2, { parallelism: 0 }));
  mesh.work();
  expect([runningOf(mesh, 1), runningOf(mesh, 2)]).toEqual([0, 4]);
});

test("[C58] slots that an update adds get the new spec at once and are on trial like the others", () => {
  const mesh = running();
  update(mesh, { ...specOf(2), mode: { kind: "replicated", replicas: 6 } });
  mesh.work();
  expect([runningOf(mesh, 1), runningOf(mesh, 2)]).toEqual([4, 3]);
  mesh.pass(1_000);
  crashNew(mesh);
  mesh.pass(600_000);
  expect(stateOf(mesh)).toBe("paused");
  expect(runningOf(mesh, 1)).toBe(4);
});

test("[C59] another update during the trial keeps the old task and stops the one on trial", () => {
  const mesh = running();
  update(mesh, specOf(2));
  mesh.work();
  update(mesh, specOf(3));
  mesh.work();
  expect([runningOf(mesh, 1), runningOf(mesh, 2), runningOf(mesh, 3)]).toEqual([4, 0, 1]);
});

test("[V27] a new task that becomes unhealthy within its monitor time counts as a failure", () => {
  const mesh = running();
  update(mesh, specOf(2));
  startPlaced(mesh);
  mesh.pass(3_000);
  const [task] = mesh.running("my-web").filter(isOf(2));
  if (task === undefined || task.health === null) throw new Error("no new task runs");
  mesh.report(task, {
    health: { ...task.health, verdict: "unhealthy", sinceMs: mesh.nowMs },
    atMs: mesh.nowMs,
  });
  expect(serviceOf(mesh).update).toMatchObject({
    state: "paused",
    message: `update paused due to failure or early termination of task ${task.id}`,
  });
  mesh.pass(600_000);
  expect(runningOf(mesh, 1)).toBe(4);
});

test("[V28] a monitor time below one second counts as one second", () => {
  for (const monitorMs of [1, 100]) {
    const mesh = running();
    update(mesh, specOf(2, { monitorMs }));
    startPlaced(mesh);
    mesh.pass(999);
    expect(startPlaced(mesh)).toBe(0);
    crashNew(mesh);
    expect(stateOf(mesh)).toBe("paused");
  }
});

test("[V29] a delay does not extend the trial: only the time in which a failure counts", () => {
  const mesh = running();
  update(mesh, specOf(2, { delayMs: 10_000, monitorMs: 5_000 }));
  startPlaced(mesh);
  mesh.pass(9_999);
  expect(startPlaced(mesh)).toBe(0);
  mesh.pass(1);
  expect(startPlaced(mesh)).toBe(1);
});
