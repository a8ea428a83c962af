import { expect, test } from "vitest";
import type { RoutingTable } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { edge } from "../../../src/edge/handle.ts";
import { createPlane, type PlaneOptions } from "../../../src/proxy/plane.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";

const origins = ["http://127.0.0.2:1", "http://127.0.0.3:1", "http://127.0.0.4:1"];

/** Asks the edge `count` times; what the debug headers say of each answer. */
async function ask(
  table: RoutingTable,
  count: number,
  options: Partial<PlaneOptions> = {},
): Promise<Headers[]> {
  const plane = createPlane({
    suspect: async () => undefined,
    source: async () => ({ version: table.version, text: printTable(table) }),
    dial: async () => new Response("ok"),
    headTimeoutMs: 1_000,
    platformStatuses: false,
    meshName: "test",
    domain: "",
    trusts: () => false,
    nowMs: () => Date.now(),
    random: () => 0,
    newId: () => "id",
    ...options,
  });
  const context = { plane, waitUntil: () => undefined };
  const entry = {
    role: "edge",
    node: null,
    port: 8080,
    client: "127.0.0.1",
    scheme: "http",
    mayDebug: () => true,
  } as const;
  const answers: Headers[] = [];
  for (let i = 0; i < count; i += 1) {
    const request = new Request("http://127.0.0.1:8080/", {
      headers: { host: "127.0.0.1:8080", "x-waggle-debug": "1" },
    });
    const { status, headers } = await edge(request, entry, context);
    headers.set("x-test-status", String(status));
    answers.push(headers);
  }
  return answers;
}

function down(table: RoutingTable, ...names: string[]): RoutingTable {
  return { ...table, nodes: table.nodes.map((node) => ({ ...node, up: !names.includes(node.name) })) };
}

const tally = (answers: readonly Headers[], name: string) =>
  Object.fromEntries(
    [...Map.groupBy(answers, (one) => one.get(name))].map(([key, list]) => [key, list.length]),
  );

test("[X5] nodes that are up get equal shares, tasks or none", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins.slice(0, 1))));
  expect(tally(await ask(table, 30), "x-waggle-node")).toEqual({ node1: 10, node2: 10, node3: 10 });
});

test("[X5] a node that is down is not picked, though a task of the service is on it", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins)), "node2");
  expect(tally(await ask(table, 8), "x-waggle-node")).toEqual({ node1: 4, node3: 4 });
});

test("[X5] with every node down the entry points still serve, for they are at the edge", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins)), "node1", "node2", "node3");
  const answers = await ask(table, 9);
  expect(tally(answers, "x-test-status")).toEqual({ 200: 9 });
  expect(tally(answers, "x-waggle-node")).toEqual({ node1: 3, node2: 3, node3: 3 });
});

test("[X6] through the balancer the tasks get equal shares as well", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins.slice(0, 2))));
  expect(Object.values(tally(await ask(table, 60), "x-waggle-task"))).toEqual([30, 30]);
});

test("[X7] a service in host mode is sent to nodes that are up and have a task; to others only when none is", async () => {
  const table = tableOf(1, serviceOf("my-web", 8080, origins, { mode: "host" }));
  expect(tally(await ask(down(table, "node2"), 8), "x-waggle-node")).toEqual({ node1: 4, node3: 4 });
  const all = await ask(down(table, "node1", "node2", "node3"), 6);
  expect(tally(all, "x-waggle-node")).toEqual({ node1: 2, node2: 2, node3: 2 });
});

test("[X51] where the platform makes statuses of its own, such a status is a task that could not be reached", async () => {
  const table = tableOf(1, serviceOf("my-web", 8080, origins));
  const statuses = [520, 521, 522, 523, 524, 525, 526, 527, 530];
  for (const status of statuses) {
    const dial = async (url: string) =>
      new Response("x", { status: url.startsWith("http://127.0.0.2") ? status : 200 });
    const answers = await ask(table, 3, { dial, platformStatuses: true });
    expect(tally(answers, "x-test-status")).toEqual({ 200: 3 });
  }
});
