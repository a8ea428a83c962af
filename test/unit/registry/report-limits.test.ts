import { expect, test } from "vitest";
import { ReportLimits } from "../../../src/registry/report-limits.ts";
import { TestMesh } from "./harness.ts";

/** A mesh with a node whose reports name its one task many times. */
function noisyMesh() {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.node("node2");
  mesh.service("web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const task = mesh.tasks().find(({ nodeId }) => nodeId === node.id);
  if (task === undefined) throw new Error("a task on node1 is expected");
  const report = mesh.reportOf(task, { endpoints: [...task.endpoints] });
  const send = (count: number) =>
    mesh.send(node.id, { type: "report", tasks: Array.from({ length: count }, () => report) });
  mesh.registry.takeEffects();
  return { mesh, node, task, send };
}

test("[M210] a node that sends more than 10,000 reports at once is disconnected with the reason, and others are not", () => {
  const { mesh, node, task, send } = noisyMesh();
  for (let round = 0; round < 6; round += 1) send(2_000);
  const { closes } = mesh.registry.takeEffects();
  expect(closes).toMatchObject([{ nodeId: node.id, code: 4400 }]);
  expect(mesh.events("node.refused")).toEqual([
    "node1: more than 10000 reports at once, or than 100 a second after that: the agent connects again and says what its tasks are then",
  ]);
  // What it sent before counts; what it sends now changes nothing.
  mesh.report(task, { state: "failed" });
  expect(mesh.tasks("web").map(({ state }) => state)).toEqual(["running", "running"]);
  const [other] = mesh.tasks().filter(({ nodeId }) => nodeId !== node.id);
  if (other !== undefined) mesh.report(other, { state: "failed" });
  expect(mesh.tasks("web").map(({ state }) => state)).toContain("failed");
});

test("[M211] a node that was disconnected says hello again and goes on, however many tasks it has", () => {
  const { mesh, node, task, send } = noisyMesh();
  for (let round = 0; round < 5; round += 1) send(2_000);
  // A hundred more in each second.
  mesh.nowMs += 100;
  const reports = Array.from({ length: 2_000 }, () => mesh.reportOf(task, { state: "failed" }));
  expect(mesh.hello(node, reports).closes).toEqual([]);
  expect(mesh.tasks("web").map(({ state }) => state)).toContain("failed");
  mesh.nowMs += 5_000;
  send(1);
  expect(mesh.registry.takeEffects().closes).toHaveLength(1);
  mesh.nowMs += 60_000;
  send(1);
  expect(mesh.registry.takeEffects().closes).toEqual([]);
});

test("[M211] of messages that wait, those that a node sent within its allowance are applied, and none after", () => {
  const { mesh, node, task } = noisyMesh();
  const messageOf = (tasks: number, state: "running" | "failed") => ({
    nodeId: node.id,
    parsed: {
      ok: true as const,
      message: {
        type: "report" as const,
        tasks: Array.from({ length: tasks }, () => mesh.reportOf(task, { state })),
      },
    },
    client: null,
  });
  const waiting = [messageOf(10_000, "running"), messageOf(1, "failed"), messageOf(1, "failed")];
  mesh.registry.agents.receiveAll(waiting);
  expect(mesh.registry.takeEffects().closes).toHaveLength(1);
  expect(mesh.tasks("web").map(({ state }) => state)).toEqual(["running", "running"]);
});

test("[M211] nodes that send little have no allowance stored", () => {
  const limits = new ReportLimits();
  const goodbye = { ok: true, message: { type: "goodbye", reason: "" } } as const;
  for (let n = 0; n < 1_000; n += 1) limits.admit(`node${n}`, goodbye, n * 1_000);
  expect(limits.size).toBeLessThan(5);
});
