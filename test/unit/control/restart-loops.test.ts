import { expect, test } from "vitest";
import { problemsOf } from "../../../src/control/problems.ts";
import type { ServiceSpec } from "../../../src/domain/model/service.ts";
import { TestMesh } from "../registry/harness.ts";
import { problemLines, viewOf } from "./problem-lines.ts";

const killed = "task: non-zero exit (137): killed by SIGKILL";

test("[G91] a service whose tasks start and fail in turn is a problem while its newest task runs", () => {
  const mesh = meshOf();
  fail(mesh, 12, 5_000);
  expect(mesh.running("my-web")).toHaveLength(1);
  expect(lines(mesh)).toEqual([
    `task my-web.1: restarted after 12 failures in a row: failed: ${killed} (67 s)`,
  ]);
});

test("[G91] while the next task waits, the problem counts the failures, and lasts since the first", () => {
  const mesh = meshOf();
  fail(mesh, 4, 5_000);
  mesh.nowMs += 5_000;
  report(mesh, "failed", killed);
  expect(lines(mesh)).toEqual([
    `service my-web: 0 of 1 task running; my-web.1 failed: ${killed}; 5 failures in a row (24 s)`,
  ]);
});

test("[G91] two failures are no loop, and a task that runs for five minutes ends one", () => {
  const mesh = meshOf();
  fail(mesh, 2, 5_000);
  expect(lines(mesh)).toEqual([]);
  fail(mesh, 1, 5_000);
  expect(lines(mesh)).toHaveLength(1);
  mesh.pass(301_000);
  expect(lines(mesh)).toEqual([]);
  fail(mesh, 1, 1_000);
  expect(lines(mesh)).toEqual([]);
});

test("[G91] a task of another spec ends the loop, and so does one that ends well", () => {
  const mesh = meshOf();
  fail(mesh, 5, 5_000);
  const [service] = mesh.registry.services();
  const spec = { ...service?.spec, run: { ...service?.spec.run, env: ["FIXED=1"] } } as ServiceSpec;
  const document = { TaskTemplate: {} };
  mesh.registry.updateService("my-web", service?.version ?? 0, { spec, document }, "operator");
  settle(mesh);
  expect(lines(mesh)).toEqual([]);
  for (let run = 0; run < 4; run += 1) {
    mesh.nowMs += 5_000;
    report(mesh, "complete", "");
    settle(mesh);
  }
  expect(lines(mesh)).toEqual([]);
});

test("[G91] a clock that is set back does not make the loop longer", () => {
  const mesh = meshOf();
  fail(mesh, 3, 5_000);
  mesh.nowMs -= 3_600_000;
  mesh.restart([...mesh.nodes.keys()]);
  expect(lines(mesh)[0]).toMatch(/\(0 s\)$/);
});

test("[G92] tasks that end alike are one problem, whatever each has printed", () => {
  const mesh = meshOf({ mode: { kind: "replicated", replicas: 2 } });
  const [one, two] = mesh.running("my-web");
  if (one === undefined || two === undefined) throw new Error("no tasks");
  mesh.report(one, { state: "failed", err: killed });
  mesh.report(two, { state: "failed", err: `${killed}: listens on port 41233` });
  const found = problemsOf(viewOf(mesh), []);
  expect(found.map(({ why }) => why)).toEqual([
    `0 of 2 tasks running; my-web.1 and my-web.2 failed: ${killed}: listens on port 41233`,
  ]);
});

test("[G93] a slot whose restarts are used up says so, and what starts it again", () => {
  const mesh = meshOf({ restart: { condition: "any", delayMs: 1_000, maxAttempts: 1, windowMs: 0 } });
  fail(mesh, 1, 1_000);
  report(mesh, "failed", killed);
  settle(mesh);
  const [problem] = problemsOf(viewOf(mesh), []);
  expect(problem?.why).toContain(`my-web.1 failed: ${killed}; its restart policy allows no further task`);
  expect(problem?.next).toMatch(/`waggle service update --force my-web`\.$/);
  expect(problem?.next).not.toContain("starts it again");
});

function meshOf(change: Partial<ServiceSpec> = {}): TestMesh {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web", {
    restart: { condition: "any", delayMs: 1_000, maxAttempts: 0, windowMs: 0 },
    ...change,
  });
  mesh.work();
  return mesh;
}

/** Has the task of my-web fail some time after its start, several times. The last successor runs. */
function fail(mesh: TestMesh, count: number, afterMs: number): void {
  for (let failure = 0; failure < count; failure += 1) {
    mesh.nowMs += afterMs;
    report(mesh, "failed", killed);
    settle(mesh);
  }
}

function report(mesh: TestMesh, state: "failed" | "complete", err: string): void {
  const [task] = mesh.running("my-web");
  if (task === undefined) throw new Error("no task runs");
  mesh.report(task, { state, err });
}

function settle(mesh: TestMesh): void {
  mesh.pass(1_000);
  mesh.work();
}

/** The problems now: whether a loop goes on depends on the time. */
function lines(mesh: TestMesh): string[] {
  return problemLines(mesh, { nowMs: mesh.nowMs, isOnCloudflare: false, closedPorts: [] });
}
