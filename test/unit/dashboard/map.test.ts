import { expect, test } from "vitest";
import { displayStatuses, statusMeanings, taskDisplayStatus } from "../../../src/dashboard/display-status.ts";
import { taskMap } from "../../../src/dashboard/task-map.ts";
import { type DashboardView, makeView } from "../../../src/dashboard/view.ts";
import type { MeshNode } from "../../../src/domain/model/node.ts";
import type { Service } from "../../../src/domain/model/service.ts";
import { slotOf, type Task } from "../../../src/domain/model/task.ts";
import type { ServiceView } from "../../../src/registry/api.ts";
import { aNode, aService, aTask, healthy, now } from "../../support/world.ts";

function viewOf(
  nodes: readonly MeshNode[],
  services: readonly Service[],
  tasks: readonly Task[],
): DashboardView {
  const serviceViews = services.map(
    (service): ServiceView => ({ ...service, running: 0, completed: 0, desiredTasks: 0 }),
  );
  const info = {
    id: "m",
    name: "test",
    createdAtMs: now,
    tableVersion: 1,
    nodes: { total: nodes.length, ready: nodes.length },
    services: services.length,
    tasks: { running: tasks.length, desired: tasks.length },
  };
  return makeView({ info, nodes, services: serviceViews, tasks, servers: [] }, [], null, now);
}

const nodes = [aNode({ id: "n1", hostname: "node1" }), aNode({ id: "n2", hostname: "node2" })];
const service = aService();

test("[G11] each task is a cell at its node and service; tasks without a node have their own row", () => {
  const tasks = [
    aTask(service, { id: "a", slot: 2, nodeId: "n1" }),
    aTask(service, { id: "b", slot: 1, nodeId: "n1" }),
    aTask(service, { id: "c", slot: 3, nodeId: null, state: "pending" }),
  ];
  const map = taskMap(viewOf(nodes, [service], tasks));
  if (map.kind !== "cells") throw new Error(map.kind);
  expect(
    map.rows.map(({ row, cells }) => [
      typeof row === "string" ? row : row.hostname,
      cells[0]?.map(({ name }) => name),
    ]),
  ).toEqual([
    ["node1", ["my-web.1", "my-web.2"]],
    ["node2", []],
    ["waiting", ["my-web.3"]],
  ]);
});

test("[G11] of the ended tasks only the last failure of an empty slot is shown", () => {
  const dead = { state: "failed", desired: "shutdown" } as const;
  const tasks = [
    aTask(service, { id: "a", slot: 1, nodeId: "n1", ...dead }),
    aTask(service, { id: "b", slot: 1, nodeId: "n2", ...dead }),
    aTask(service, { id: "c", slot: 2, nodeId: "n1", ...dead }),
    aTask(service, { id: "d", slot: 2, nodeId: "n2" }),
    aTask(service, { id: "e", slot: 3, nodeId: "n1", state: "complete" }),
  ];
  const map = taskMap(viewOf(nodes, [service], tasks));
  if (map.kind !== "cells") throw new Error(map.kind);
  expect(map.rows.flatMap(({ cells }) => cells.flat().map(({ id }) => id))).toEqual(["b", "d"]);
});

test("[G11] in a mesh too large for cells, each node is a tile with the worst status of its tasks", () => {
  const manyNodes = Array.from({ length: 1_000 }, (_, n) => aNode({ id: `n${n}`, hostname: `node${n}` }));
  const tasks = manyNodes.flatMap(({ id }, n) => [
    aTask(service, { id: `${id}a`, slot: 2 * n + 1, nodeId: id }),
    aTask(service, {
      id: `${id}b`,
      slot: 2 * n + 2,
      nodeId: id,
      ...(n === 7 && { health: { ...healthy, verdict: "unhealthy" as const } }),
    }),
  ]);
  const map = taskMap(viewOf(manyNodes, [service], tasks));
  if (map.kind !== "tiles") throw new Error(map.kind);
  expect(map.tiles.length).toBe(1_000);
  expect(map.tiles[7]).toMatchObject({ status: "unhealthy", tasks: 2 });
  expect(map.tiles[8]).toMatchObject({ status: "running", tasks: 2 });
  expect(map.services[0]?.counts.get("running")).toBe(1_999);
});

test.each<[Partial<Task>, Partial<MeshNode> | null, string]>([
  [{}, {}, "running"],
  [{ health: null }, {}, "running"],
  [{ health: { ...healthy, verdict: "starting" } }, {}, "starting"],
  [{ health: { ...healthy, verdict: "unhealthy" } }, {}, "unhealthy"],
  [{ state: "preparing" }, {}, "starting"],
  [{ state: "pending", nodeId: null }, null, "waiting"],
  [{ admin: "drain" }, {}, "out-of-service"],
  [{ admin: "maint", health: { ...healthy, verdict: "unhealthy" } }, {}, "unhealthy"],
  [{ desired: "shutdown" }, {}, "leaving"],
  [{}, { state: "down" }, "unknown"],
  [{ state: "rejected" }, {}, "failed"],
  [{ state: "failed" }, { state: "down" }, "failed"],
  [{ state: "orphaned" }, null, "failed"],
  [{ state: "complete" }, {}, "ended"],
  [{ state: "shutdown" }, {}, "ended"],
])("[G11] a task %j on a node %j has the status %s", (task, node, status) => {
  expect(taskDisplayStatus(aTask(service, task), node === null ? undefined : aNode(node))).toBe(status);
});

test("[G11] every status has a text and a rank", () => {
  expect([...displayStatuses].sort()).toEqual(Object.keys(statusMeanings).sort());
});

test("[G83] with more services than fit beside each other, each is a row of the map and the nodes are columns", () => {
  const many = Array.from({ length: 22 }, (_, number) => aService({ name: `web-${number}` }));
  const tasks = many.map((one, number) => aTask(one, { id: `t${number}`, slot: 1, nodeId: "n1" }));
  const map = taskMap(viewOf(nodes, many, tasks));
  expect(map).toMatchObject({ kind: "cells", isByService: true });
  expect(taskMap(viewOf(nodes, many.slice(0, 14), tasks))).toMatchObject({
    kind: "cells",
    isByService: false,
  });
});

test("[M214] a task that waits to restart on its node fails with the slot of the one before, and with no other node's", () => {
  const global = aService({ mode: { kind: "global" } });
  const failed = { slot: 0, state: "failed", desired: "shutdown" } as const;
  const waiting = { slot: 0, nodeId: null, state: "pending" } as const;
  const tasks = [
    aTask(global, { id: "a", nodeId: "n1", ...failed }),
    aTask(global, { id: "b", forNode: "n1", ...waiting }),
    aTask(global, { id: "c", forNode: "n2", ...waiting }),
  ];
  expect(tasks.map(slotOf)).toEqual(["n1", "n1", "n2"]);
  expect(slotOf(aTask(service, { slot: 3, nodeId: "n1" }))).toBe("3");
  const map = taskMap(viewOf(nodes, [global], tasks));
  if (map.kind !== "cells") throw new Error(map.kind);
  const cells = map.rows.flatMap((row) => row.cells.flat());
  expect(cells.map(({ name, status }) => [name, status])).toEqual([
    ["my-web.node1", "failed"],
    ["my-web.node2", "waiting"],
  ]);
});
