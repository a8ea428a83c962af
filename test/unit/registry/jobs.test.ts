import { expect, test } from "vitest";
import type { ServiceMode, ServiceSpec } from "../../../src/domain/model/service.ts";
import { shownDesiredState, type Task } from "../../../src/domain/model/task.ts";
import type { TaskReport } from "../../../src/protocol/agent.ts";
import { input, TestMesh } from "./harness.ts";

const threeOneAtATime = { kind: "replicated-job", completions: 3, maxConcurrent: 1 } as const;

/** A mesh of two nodes with one job. */
function withJob(mode: ServiceMode, change: Partial<ServiceSpec> = {}): TestMesh {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.node("node2");
  mesh.service("job", { mode, ports: [], ...change });
  return mesh;
}

function jobOf({ registry }: TestMesh) {
  const [service] = registry.services();
  if (service === undefined) throw new Error("no service");
  return service;
}

/** The live tasks that are placed and not stopping. */
const active = (mesh: TestMesh): readonly Task[] =>
  mesh.tasks().filter((task) => ["assigned", "running"].includes(task.state) && task.desired === "running");

/** The agents run all active tasks and report how they end. Returns how many. */
function end(mesh: TestMesh, state: TaskReport["state"] = "complete"): number {
  const tasks = active(mesh);
  for (const task of tasks) {
    mesh.report(task, { state: "running" });
    mesh.report(task, { state, exitCode: state === "complete" ? 0 : 1 });
  }
  return tasks.length;
}

function update(mesh: TestMesh, change: Partial<ServiceSpec>): void {
  const result = mesh.registry.updateService(
    "job",
    jobOf(mesh).version,
    input("job", { mode: threeOneAtATime, ports: [], ...change }),
    "operator",
  );
  if (!result.ok) throw new Error(result.problem.message);
}

test("[C60] a replicated job completes each slot once, and no more at a time than its maximum", () => {
  for (const [completions, maxConcurrent, rounds] of [
    [3, 1, [1, 1, 1, 0]],
    [5, 2, [2, 2, 1, 0]],
    [2, 10, [2, 0]],
    [2, 0, [0]],
  ] as const) {
    const mesh = withJob({ kind: "replicated-job", completions, maxConcurrent });
    expect(rounds.map(() => end(mesh))).toEqual(rounds);
    mesh.pass(3_600_000);
    expect(active(mesh)).toEqual([]);
    const completed = mesh.tasks().filter(({ state }) => state === "complete");
    expect(new Set(completed.map(({ slot }) => slot)).size).toBe(maxConcurrent === 0 ? 0 : completions);
  }
});

test("[C61] a global job completes once on each node that fits, also on one that joins later", () => {
  const mesh = withJob({ kind: "global-job" });
  expect(end(mesh)).toBe(2);
  expect(end(mesh)).toBe(0);
  mesh.node("node3");
  expect(end(mesh)).toBe(1);
  expect(new Set(mesh.tasks().map(({ nodeId }) => nodeId)).size).toBe(3);
});

test("[C62] a failed task of a job is followed by another one as the restart policy says, a completed one never", () => {
  const attempts = (restart: Partial<ServiceSpec["restart"]>) => {
    const policy = { condition: "any", maxAttempts: 0, windowMs: 0, delayMs: 100, ...restart } as const;
    const mesh = withJob(threeOneAtATime, { restart: policy });
    let failed = 0;
    for (let time = 0; time < 5; time += 1) {
      failed += end(mesh, "failed");
      mesh.pass(100);
    }
    return { failed, slots: new Set(mesh.tasks().map(({ slot }) => slot)).size };
  };
  expect(attempts({})).toEqual({ failed: 5, slots: 1 });
  expect(attempts({ condition: "on-failure", maxAttempts: 1 })).toEqual({ failed: 5, slots: 3 });
  expect(attempts({ condition: "none" })).toEqual({ failed: 3, slots: 3 });
});

test("[C63] an update begins another iteration: live tasks of the one before are removed, dead ones stay", () => {
  const mesh = withJob(threeOneAtATime);
  end(mesh);
  const [running] = active(mesh);
  if (running === undefined) throw new Error("nothing runs");
  mesh.report(running, { state: "running" });
  mesh.pass(1_000);
  update(mesh, { forceUpdate: 1 });
  expect(jobOf(mesh).job).toEqual({ iteration: 1, startedAtMs: mesh.nowMs });
  expect(mesh.tasks().find(({ id }) => id === running.id)?.desired).toBe("remove");
  mesh.work();
  mesh.pass(10_000);
  mesh.work();
  expect([end(mesh), end(mesh), end(mesh), end(mesh)]).toEqual([1, 1, 1, 0]);
  const iterations = mesh.tasks().map(({ jobIteration, state }) => `${jobIteration} ${state}`);
  expect(iterations.sort()).toEqual(["0 complete", "1 complete", "1 complete", "1 complete"]);
});

test("[C63] an update without a change runs a job again, and a rollback runs its previous spec", () => {
  const mesh = withJob(threeOneAtATime);
  while (end(mesh) > 0);
  update(mesh, {});
  expect(jobOf(mesh)).toMatchObject({ version: 2, job: { iteration: 1 } });
  expect(end(mesh)).toBe(1);
  mesh.registry.updateService("job", 2, "rollback", "operator");
  expect(jobOf(mesh)).toMatchObject({ version: 3, job: { iteration: 2 } });
  expect(jobOf(mesh).update).toBeUndefined();
  expect(end(mesh)).toBe(1);
});

test("[C64] a job's task on a drained node ends there before its slot gets another one; a lost node is not waited for", () => {
  const mesh = withJob({ kind: "replicated-job", completions: 1, maxConcurrent: 1 });
  const [task] = active(mesh);
  if (task === undefined) throw new Error("nothing runs");
  mesh.report(task, { state: "running" });
  const node = mesh.registry.nodes().find(({ id }) => id === task.nodeId);
  if (node === undefined) throw new Error("no node");
  const drained = { availability: "drain", role: node.role, labels: node.labels } as const;
  mesh.registry.updateNode(node.id, node.version, drained, "operator");
  expect(mesh.tasks().map(({ desired }) => desired)).toEqual(["shutdown"]);
  mesh.work();
  mesh.pass(10_000);
  mesh.work();
  expect(active(mesh)).toHaveLength(1);
  expect(active(mesh)[0]?.nodeId).not.toBe(node.id);
});

test("[C65] the counts of a job are its running and live slots, and those that completed in its iteration", () => {
  const mesh = withJob({ kind: "replicated-job", completions: 5, maxConcurrent: 2 });
  expect(jobOf(mesh)).toMatchObject({ running: 0, desiredTasks: 2, completed: 0 });
  end(mesh);
  for (const task of active(mesh)) mesh.report(task, { state: "running" });
  expect(jobOf(mesh)).toMatchObject({ running: 2, desiredTasks: 2, completed: 2 });
  while (end(mesh) > 0);
  expect(jobOf(mesh)).toMatchObject({ running: 0, desiredTasks: 0, completed: 5 });
});

test("[T9] the desired state that Docker shows is complete for a job's task, and shutdown for a dead one without successor", () => {
  const shown = (task: Partial<Task>) => shownDesiredState({ state: "running", desired: "running", ...task });
  expect(shown({})).toBe("running");
  expect(shown({ state: "failed" })).toBe("shutdown");
  expect(shown({ desired: "remove" })).toBe("remove");
  expect(shown({ jobIteration: 0 })).toBe("complete");
  expect(shown({ jobIteration: 0, state: "complete" })).toBe("complete");
  expect(shown({ jobIteration: 0, state: "failed" })).toBe("shutdown");
});
