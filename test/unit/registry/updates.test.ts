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

test("[V14] a new service has no update status, and an update that changes no task gets none", () => {
  const mesh = running();
  expect(stateOf(mesh)).toBeNull();
  update(mesh, { ...specOf(1), labels: { team: "a" } });
  expect(stateOf(mesh)).toBeNull();
});

test("[V15] an update replaces as many slots at a time as its parallelism, and waits the delay in between", () => {
  const mesh = running();
  update(mesh, specOf(2, { parallelism: 2, delayMs: 2_000 }));
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
    mesh.pass(1);
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
  const id = reject(mesh);
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
  mesh.pass(60_000);
  for (const version of [1, 2]) {
    mesh.registry.updateService("my-web", serviceOf(mesh).version, "rollback", "operator");
    expect(serviceOf(mesh).update).toMatchObject({
      state: "rollback_started",
      message: "manually requested rollback",
    });
    mesh.pass(1);
    mesh.work();
    mesh.pass(60_000);
    expect(runningOf(mesh, version)).toBe(4);
    expect(stateOf(mesh)).toBe("rollback_completed");
  }
});

test("[V24] a rollback that fails pauses and is never rolled back", () => {
  const mesh = running({ failureAction: "rollback" });
  update(mesh, specOf(2, { failureAction: "rollback" }));
  mesh.work();
  mesh.pass(60_000);
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
  mesh.pass(60_000);
  expect(runningOf(mesh, 3)).toBe(4);
  expect(stateOf(mesh)).toBe("completed");
});

test("[V26] an update continues where it was when the registry restarts in the middle of it", () => {
  const mesh = running();
  update(mesh, specOf(2, { delayMs: 2_000 }));
  for (let times = 0; times < 4; times += 1) {
    mesh.restart([...mesh.sockets.keys()]);
    expect(startPlaced(mesh)).toBe(1);
    mesh.restart([...mesh.sockets.keys()]);
    mesh.pass(2_000);
  }
  mesh.pass(5_000);
  expect(stateOf(mesh)).toBe("completed");
});
