import { expect, test } from "vitest";
import { TestMesh } from "./harness.ts";

test("[U580] the name of a slot is that of its current task, however many tasks ended in it", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  const first = idOf(mesh, "my-web.1");
  fail(mesh);
  const second = idOf(mesh, "my-web.1");
  expect(second).not.toBe(first);
  expect(mesh.running("my-web").map(({ id }) => id)).toEqual([second]);
  expect(idOf(mesh, `my-web.1.${first}`)).toBe(first);
  expect(mesh.registry.setAdmin({ kind: "task", ref: "my-web.1" }, "drain", "operator").ok).toBe(true);
  expect(mesh.tasks("my-web").find(({ id }) => id === second)?.admin).toBe("drain");
});

test("[U580] a slot without a live task has the name of its newest one", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("once", { restart: { condition: "none", maxAttempts: 0, windowMs: 0 } });
  mesh.work();
  fail(mesh, "once");
  expect(mesh.tasks("once")).toHaveLength(1);
  expect(idOf(mesh, "once.1")).toBe(mesh.tasks("once")[0]?.id);
});

test("[U580] a task of a global service is found by the name of its node", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const { id } = mesh.node("node2");
  mesh.service("agent", { mode: { kind: "global" } });
  mesh.work();
  const task = mesh.tasks("agent").find(({ nodeId }) => nodeId === id);
  expect(idOf(mesh, "agent.node2")).toBe(task?.id);
  expect(idOf(mesh, `agent.${id}`)).toBe(task?.id);
});

test("[U580] a name that no slot has is not found", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  expect(idOf(mesh, "my-web.2")).toBe("task my-web.2 not found");
});

function fail(mesh: TestMesh, service = "my-web"): void {
  const [task] = mesh.running(service);
  if (task === undefined) throw new Error("no task runs");
  mesh.report(task, { state: "failed", err: "task: non-zero exit (1)" });
  mesh.pass(1_000);
  mesh.work();
}

/** The id of the task, or the refusal. */
function idOf({ registry }: TestMesh, ref: string): string {
  const found = registry.task(ref);
  return found.ok ? found.value.id : found.problem.message;
}
