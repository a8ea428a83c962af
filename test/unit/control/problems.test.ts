import { expect, test } from "vitest";
import { problemsOf } from "../../../src/control/problems.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import type { ServiceTraffic } from "../../../src/telemetry/snapshot.ts";
import { input, TestMesh } from "../registry/harness.ts";
import { problemLines, viewOf } from "./problem-lines.ts";

test("[A34] a mesh without nodes says how a node joins", () => {
  expect(problemLines(new TestMesh())).toEqual(["mesh test: no node has joined (0 s)"]);
});

test("[A34] a healthy mesh has no problems", () => {
  expect(problemLines(healthyMesh())).toEqual([]);
});

test("[J415] what telemetry has no memory for is a problem that says what still holds", () => {
  const leftOut = [
    { kind: "task", kept: 3_700 },
    { kind: "colo", kept: 990 },
  ] as const;
  expect(
    problemsOf(viewOf(healthyMesh()), [], undefined, leftOut).map(({ what, why }) => `${what}: ${why}`),
  ).toEqual([
    "telemetry: it keeps counters for 3700 tasks, which is all its memory; further ones count together, as (others)",
    "telemetry: it keeps counters for 990 tasks by data center, which is all its memory; further ones are left out of those views",
  ]);
});

test("[A34] a node that is down has a reason and a time", () => {
  const mesh = healthyMesh();
  const node = mesh.nodes.values().next().value;
  if (node === undefined) throw new Error("no node");
  mesh.send(node.id, { type: "goodbye", reason: "" });
  mesh.work();
  mesh.nowMs += 5_000;
  expect(problemLines(mesh)).toEqual(["node node1: down: left (5 s)"]);
});

test("[O108] a node whose gateway does not answer where the mesh dials it is a problem, one on the tunnel is not", () => {
  const mesh = healthyMesh();
  const [node] = mesh.nodes.values();
  if (node === undefined) throw new Error("no node");
  const problem = "no answer from http://127.0.0.2:7946";
  const check = { transport: "direct", url: "http://127.0.0.2:7946", problem } as const;
  mesh.registry.recordGatewayCheck(node.id, check);
  expect(problemLines(mesh)).toContainEqual(expect.stringContaining(`node node1: direct: ${problem}`));
  mesh.hasTunnel = true;
  mesh.restart([node.id]);
  mesh.registry.recordGatewayCheck(node.id, check);
  expect(mesh.registry.nodes()[0]?.transport).toEqual({ kind: "tunnel", reason: problem });
  expect(problemLines(mesh)).toEqual([]);
});

test.each(["drain", "pause"] as const)("[A34] a node that has completed %s is no problem", (availability) => {
  const mesh = healthyMesh();
  mesh.registry.updateNode("node1", 1, { availability, role: "worker", labels: {} }, "operator");
  mesh.work();
  expect(problemLines(mesh)).toEqual([]);
});

test("[A34] a node that drains or leaves has the number of tasks still there", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  mesh.send(node.id, { type: "leaving" });
  expect(problemLines(mesh)).toContain("node node1: its agent is leaving: 1 task still there (0 s)");
  mesh.registry.updateNode("node1", 1, { availability: "drain", role: "worker", labels: {} }, "operator");
  expect(problemLines(mesh)[0]).toMatch(/still there/);
});

test("[A34] a service with too few tasks has their number and the reason of each pending slot, grouped by reason", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 6 }, maxPerNode: 1 });
  mesh.work();
  const [line] = problemLines(mesh);
  expect(line).toMatch(
    /^service my-web: 1 of 6 tasks running; my-web\.\d, my-web\.\d, my-web\.\d and 2 more pending: no suitable node: node1 has as many of its tasks as --replicas-max-per-node 1 allows \(0 s\)$/,
  );
});

test("[A34] an unhealthy task is a problem with its last check", () => {
  const mesh = healthyMesh();
  const task = first(mesh);
  const health = {
    verdict: "unhealthy",
    streak: { ok: false, length: 3 },
    sinceMs: mesh.nowMs,
    lastCheck: "L7STS/503 in 2ms",
    rise: 2,
    fall: 3,
  } as const;
  mesh.report(task, { health });
  mesh.nowMs += 3_000;
  expect(problemLines(mesh)).toEqual(["task my-web.1: unhealthy: L7STS/503 in 2ms (DOWN) (3 s)"]);
});

test("[O180] a task whose response is not HTTP gets the label for another protocol as advice", () => {
  const mesh = healthyMesh();
  report(mesh, first(mesh), "L7RSP in 1ms", "unhealthy");
  expect(advice(mesh)).toEqual([
    "my-web does not speak HTTP: `waggle service update --label-add waggle.mode=tcp --label-add waggle.probe=tcp my-web`.",
  ]);
});

test("[O180] a service whose tasks accept connections while every request fails gets that advice as a guess", () => {
  const mesh = healthyMesh();
  for (const task of mesh.tasks("my-web")) report(mesh, task, "L4OK in 1ms", "healthy");
  const failing = (requests: number, failed: number) => {
    const recent = { seconds: 60, requests, failed, p50Ms: 1, p95Ms: 1, p99Ms: 1 };
    return [{ id: mesh.registry.services()[0]?.id, recent } as ServiceTraffic];
  };
  const guess = "If my-web does not speak HTTP: `waggle service update --label-add waggle.mode=tcp my-web`.";
  expect(advice(mesh, failing(20, 20))[0]).toContain(guess);
  expect(advice(mesh, failing(20, 19))[0]).not.toContain(guess);
  report(mesh, first(mesh), "L7OK/200 in 1ms", "healthy");
  expect(advice(mesh, failing(20, 20))[0]).not.toContain(guess);
});

test("[A34] a rejected image is a problem until a task runs in the slot", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web");
  mesh.report(first(mesh), { state: "rejected", err: "image nope is not known to node1" });
  expect(problemLines(mesh)).toEqual([
    "service my-web: 0 of 1 task running; my-web.1 rejected: image nope is not known to node1 (0 s)",
  ]);
  mesh.work();
  expect(problemLines(mesh)).toEqual([]);
});

test("[A34] a paused update is a problem, although every task runs", () => {
  const mesh = healthyMesh();
  const run = { ...input("my-web").spec.run, env: ["VERSION=2"] };
  const mode = { kind: "replicated", replicas: 2 } as const;
  const changed = input("my-web", { mode, run, update: { parallelism: 1, order: "start-first" } });
  const [service] = mesh.registry.services();
  mesh.registry.updateService("my-web", service?.version ?? 0, changed, "operator");
  mesh.pass(1);
  const placed = mesh.tasks("my-web").find(({ state }) => state === "assigned");
  if (placed === undefined) throw new Error("no task of the update");
  mesh.report(placed, { state: "rejected", err: "image is not known to node1" });
  const why = `update paused due to failure or early termination of task ${placed.id}`;
  mesh.pass(600_000);
  expect(mesh.running("my-web")).toHaveLength(2);
  expect(problemLines(mesh)).toContainEqual(expect.stringContaining(`service my-web: ${why}`));
});

test("[A34] a service scaled to nothing is no problem", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 0 } });
  expect(problemLines(mesh)).toEqual([]);
});

/** Two nodes, and a service with two running tasks. */
function healthyMesh(): TestMesh {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.node("node2");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  return mesh;
}

function first(mesh: TestMesh): Task {
  const [task] = mesh.tasks("my-web");
  if (task === undefined) throw new Error("no task");
  return task;
}

function report(mesh: TestMesh, task: Task, lastCheck: string, verdict: "healthy" | "unhealthy"): void {
  const streak = { ok: verdict === "healthy", length: 3 };
  mesh.report(task, { health: { verdict, streak, sinceMs: mesh.nowMs, lastCheck, rise: 2, fall: 3 } });
}

/** The next step of each problem. */
function advice(mesh: TestMesh, traffic: readonly ServiceTraffic[] = []): string[] {
  return problemsOf(viewOf(mesh), traffic).map(({ next }) => next);
}

test("[A34] every problem has advice", () => {
  const mesh = healthyMesh();
  const [node] = mesh.nodes.values();
  if (node === undefined) throw new Error("no node");
  mesh.send(node.id, { type: "goodbye", reason: "" });
  mesh.service("api", { constraints: ["node.labels.zone==east"] });
  mesh.work();
  const { registry } = mesh;
  const view = {
    info: registry.info(),
    nodes: registry.nodes(),
    services: registry.services(),
    tasks: mesh.tasks(),
    servers: [],
  };
  expect(problemsOf(view, []).map(({ what, next }) => [what, next])).toEqual([
    [
      "service api",
      "Label a node: `waggle node update --label-add zone=east node1`, or remove the constraint: `waggle service update --constraint-rm 'node.labels.zone==east' api`.",
    ],
    ["node node1", "Start its agent again, or remove it: `waggle node rm node1`."],
  ]);
});

test("[K38] a label that names a missing service is a problem for as long as the service is missing", () => {
  const mesh = healthyMesh();
  const port = (published: number) => ({ ports: [{ target: 80, published, mode: "ingress" as const }] });
  mesh.service("shop", { ...port(8_101), labels: { "waggle.canary": "shop-next" } });
  mesh.work();
  const why = "service shop: label waggle.canary=shop-next has no effect: this mesh has no service shop-next";
  expect(problemLines(mesh)).toEqual([expect.stringContaining(why)]);
  mesh.service("shop-next", port(8_102));
  mesh.work();
  expect(problemLines(mesh)).toEqual([]);
  mesh.registry.removeService("shop-next", "operator");
  mesh.work();
  expect(problemLines(mesh)).toEqual([expect.stringContaining(why)]);
});
