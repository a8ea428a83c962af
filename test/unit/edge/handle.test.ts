import { expect, test } from "vitest";
import type { RoutingTable } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { edge } from "../../../src/edge/handle.ts";
import { createPlane, type PlaneOptions } from "../../../src/proxy/plane.ts";
import { newBodyPipe } from "../../support/body-pipe.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { registryReply } from "../../support/test-table.ts";

const origins = ["http://127.0.0.2:1", "http://127.0.0.3:1", "http://127.0.0.4:1"];

/** Sends `count` requests to the edge. @returns the response headers, with the status as x-test-status */
async function send(
  table: RoutingTable,
  count: number,
  options: Partial<PlaneOptions> = {},
): Promise<Headers[]> {
  const plane = createPlane({
    reportSuspects: async () => undefined,
    callRegistry: async () => registryReply({ version: table.version, text: printTable(table) }),
    dial: async () => new Response("ok"),
    dialGateway: async () => new Response("ok"),
    newBodyPipe,
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
  const responses: Headers[] = [];
  for (let i = 0; i < count; i += 1) {
    const request = new Request("http://127.0.0.1:8080/", {
      headers: { host: "127.0.0.1:8080", "x-waggle-debug": "1" },
    });
    const { status, headers } = await edge(request, entry, context);
    headers.set("x-test-status", String(status));
    responses.push(headers);
  }
  return responses;
}

function down(table: RoutingTable, ...names: string[]): RoutingTable {
  return { ...table, nodes: table.nodes.map((node) => ({ ...node, up: !names.includes(node.name) })) };
}

/** The number of responses for each value of a header. */
const tally = (responses: readonly Headers[], name: string) =>
  Object.fromEntries(
    [...Map.groupBy(responses, (headers) => headers.get(name))].map(([key, group]) => [key, group.length]),
  );

test("[X5] nodes that are up get equal shares, with or without tasks", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins.slice(0, 1))));
  expect(tally(await send(table, 30), "x-waggle-node")).toEqual({ node1: 10, node2: 10, node3: 10 });
});

test("[X5] a node that is down is not picked, even if it has a task of the service", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins)), "node2");
  expect(tally(await send(table, 8), "x-waggle-node")).toEqual({ node1: 4, node3: 4 });
});

test("[X5] with all nodes down their entry points still serve, because they run at the edge", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins)), "node1", "node2", "node3");
  const responses = await send(table, 9);
  expect(tally(responses, "x-test-status")).toEqual({ 200: 9 });
  expect(tally(responses, "x-waggle-node")).toEqual({ node1: 3, node2: 3, node3: 3 });
});

test("[X6] tasks get equal shares through the balancer", async () => {
  const table = down(tableOf(1, serviceOf("my-web", 8080, origins.slice(0, 2))));
  expect(Object.values(tally(await send(table, 60), "x-waggle-task"))).toEqual([30, 30]);
});

test("[X7] a service in host mode gets its nodes that are up and have a task; with all down, all of them", async () => {
  const table = tableOf(1, serviceOf("my-web", 8080, origins, { mode: "host" }));
  expect(tally(await send(down(table, "node2"), 8), "x-waggle-node")).toEqual({ node1: 4, node3: 4 });
  const all = await send(down(table, "node1", "node2", "node3"), 6);
  expect(tally(all, "x-waggle-node")).toEqual({ node1: 2, node2: 2, node3: 2 });
});

test("[X51] with platform statuses, a 52x or 530 is a task that could not be reached", async () => {
  const table = tableOf(1, serviceOf("my-web", 8080, origins));
  const statuses = [520, 521, 522, 523, 524, 525, 526, 527, 530];
  for (const status of statuses) {
    const dial = async (url: string) =>
      new Response("x", { status: url.startsWith("http://127.0.0.2") ? status : 200 });
    const responses = await send(table, 3, { dial, platformStatuses: true });
    expect(tally(responses, "x-test-status")).toEqual({ 200: 3 });
  }
});
