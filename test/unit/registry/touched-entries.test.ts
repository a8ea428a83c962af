import { expect, test } from "vitest";
import type { Task } from "../../../src/domain/model/task.ts";
import { loadWorld } from "../../../src/registry/world-rows.ts";
import { assigned, TestMesh } from "./harness.ts";

/** Rows that the database wrote since it was opened. */
function writtenRows(mesh: TestMesh): number {
  return Number(mesh.database.exec("SELECT total_changes() AS rows")[0]?.rows);
}

test("[M172] a hello that changes nothing writes no row, and is answered with the node's assignment", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("web");
  mesh.work();
  const reports = mesh.tasks().map((task) => mesh.reportOf(task, { endpoints: [...task.endpoints] }));
  mesh.hello(node, reports);
  mesh.nowMs += 1_000;
  const before = writtenRows(mesh);
  const effects = mesh.hello(node, reports);
  expect(writtenRows(mesh)).toBe(before);
  expect(assigned(effects, node.id)?.map(({ id }) => id)).toEqual(mesh.tasks().map(({ id }) => id));
  mesh.hello(node, []);
  expect(mesh.tasks().map(({ state }) => state)).toContain("failed");
});

test("[M171] a refused report changes neither tasks nor table, and what follows starts from there", () => {
  const mesh = new TestMesh();
  for (const name of ["node1", "node2"]) mesh.node(name);
  mesh.service("web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const before = { tasks: mesh.tasks(), table: mesh.registry.table(-1) };
  const [own, foreign] = mesh.tasks();
  if (own === undefined || foreign === undefined) throw new Error("two tasks are expected");
  const reports = [mesh.reportOf(own, { state: "failed" }), mesh.reportOf(foreign)];
  mesh.send(own.nodeId ?? "", { type: "report", tasks: reports });
  expect({ tasks: mesh.tasks(), table: mesh.registry.table(-1) }).toEqual(before);
  mesh.report(own, { state: "failed" });
  expect(mesh.tasks()).toHaveLength(3);
  expect([...loadWorld(mesh.database).tasks.values()]).toEqual(expect.arrayContaining([...mesh.tasks()]));
});

test("[M174] messages that wait raise the table's version once, and a refused one among them stops no other", () => {
  const mesh = new TestMesh();
  const nodes = ["node1", "node2"].map((name) => mesh.node(name));
  mesh.service("web", { mode: { kind: "replicated", replicas: 2 } });
  const [first, second] = mesh.tasks();
  if (first === undefined || second === undefined) throw new Error("two tasks are expected");
  const messageOf = (task: Task, nodeId = task.nodeId ?? "") => {
    const message = { type: "report" as const, tasks: [mesh.reportOf(task)] };
    return { nodeId, parsed: { ok: true as const, message }, client: null };
  };
  const before = mesh.registry.table(-1).version;
  mesh.registry.agents.receiveAll([messageOf(first), messageOf(second)]);
  expect(mesh.running("web")).toHaveLength(2);
  expect(mesh.registry.table(-1).version).toBe(before + 1);
  mesh.service("api", { mode: { kind: "replicated", replicas: 2 } });
  const [own, other] = mesh.tasks("api");
  if (own === undefined || other === undefined) throw new Error("two tasks are expected");
  mesh.registry.takeEffects();
  const stranger = nodes.find(({ id }) => id !== own.nodeId)?.id ?? "";
  mesh.registry.agents.receiveAll([messageOf(own), messageOf(own, stranger), messageOf(other)]);
  expect(mesh.running("api")).toHaveLength(2);
  expect(mesh.registry.takeEffects().closes.map(({ nodeId }) => nodeId)).toEqual([stranger]);
});
