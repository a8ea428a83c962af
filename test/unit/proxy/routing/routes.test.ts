import { expect, test } from "vitest";
import type { RoutingTable, TableNode } from "../../../../src/domain/table/table.ts";
import { Routes } from "../../../../src/proxy/routing/routes.ts";
import { idOf, serviceOf, tableOf, taskId } from "../../../support/dataplane.ts";

const origins = ["http://127.0.0.2:1", "http://127.0.0.3:1", "http://127.0.0.4:1", "http://127.0.0.2:2"];

function matched(table: RoutingTable, port: number | null, host: string): string[] | null {
  const match = new Routes(table, "mesh.example.com").match({ port, host, path: "/" });
  return match?.routes.map((route) => `${route.service.name} ${route.targetPort}`) ?? null;
}

const port8080 = { port: 8080, host: "", path: "" };

function nodeOf(routes: Routes, name: string): TableNode {
  const node = routes.node(name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

const table = tableOf(
  1,
  serviceOf("my-web", 8080, origins),
  serviceOf("shop", 9090, origins, { hosts: ["www.example.com"] }),
);

test("[X1] a published port decides the service, whatever the Host says", () => {
  expect(matched(table, 9090, "my-web.mesh.example.com")).toEqual(["shop 80"]);
  expect(matched(table, 8080, "www.example.com")).toEqual(["my-web 80"]);
});

test("[X2] without a published port the host name decides: one of the service's own, or NAME.domain", () => {
  expect(matched(table, null, "WWW.example.com:443")).toEqual(["shop 80"]);
  expect(matched(table, 8443, "www.example.com:8443")).toEqual(["shop 80"]);
  expect(matched(table, null, "shop.mesh.example.com")).toEqual(["shop 80"]);
});

test("[X3] the default service applies if neither port nor host name is known", () => {
  expect(matched(table, null, "127.0.0.1:8000")).toEqual(["my-web 80"]);
  expect(matched(table, null, "node1.nodes.mesh.example.com")).toEqual(["my-web 80"]);
  expect(matched({ ...table, defaultService: null }, null, "127.0.0.1")).toBeNull();
});

test("[X3] an unknown port, and an unknown name in the mesh's domain, match nothing", () => {
  expect(matched(table, 81, "127.0.0.1:81")).toBeNull();
  expect(matched(table, null, "typo.mesh.example.com")).toBeNull();
});

test("[X2] a match by name uses the service's lowest port in ingress mode", () => {
  const ports = [
    { target: 9000, published: 70, mode: "host" as const },
    { target: 80, published: 8080, mode: "ingress" as const },
    { target: 81, published: 8081, mode: "ingress" as const },
  ];
  expect(matched(tableOf(1, serviceOf("my-web", 1, origins, { ports })), null, "a")).toEqual(["my-web 80"]);
});

test("[X7] in host mode a node's pool has its own tasks only", () => {
  const routes = new Routes(tableOf(1, serviceOf("my-web", 8080, origins, { mode: "host" })));
  const route = routes.match(port8080)?.routes[0];
  expect(route?.pool(nodeOf(routes, "node1")).ids).toEqual([taskId("my-web", 1), taskId("my-web", 4)]);
  expect(route?.pool({ ...nodeOf(routes, "node1"), id: "nowhere" }).ids).toEqual([]);
  expect([...(route?.nodeIds() ?? [])]).toEqual(["node1", "node2", "node3"].map(idOf));
});

test("[X53] tasks with weight 0, and tasks that do not listen on the target port, get no requests", () => {
  const service = serviceOf("my-web", 8080, origins);
  const [first, second, third, fourth] = service.tasks.map((task) => ({ ...task }));
  const tasks = [{ ...first, weight: 0 }, { ...second, endpoints: [[81, "http://x"]] }, third, fourth];
  const changed = { ...service, tasks: tasks as typeof service.tasks };
  const routes = new Routes(tableOf(1, changed));
  expect(routes.match(port8080)?.routes[0].pool(nodeOf(routes, "node1")).ids).toEqual([
    taskId("my-web", 3),
    taskId("my-web", 4),
  ]);
});

test("[L140] NODE-nodes.DOMAIN is a node's entry point, unless no such node exists or another one has that host", () => {
  const routes = new Routes(table, "example.com");
  expect(routes.nodeOfHost("node1-nodes.example.com")?.id).toBe(idOf("node1"));
  expect(routes.nodeOfHost("my-nodes.example.com")).toBeUndefined();
  expect(new Routes(table).nodeOfHost("node1-nodes.")).toBeUndefined();
  const [node1, node2, ...rest] = table.nodes;
  const claimed = [node1, { ...node2, hosts: ["node1-nodes.example.com"] }, ...rest] as typeof table.nodes;
  const other = new Routes({ ...table, nodes: claimed }, "example.com");
  expect(other.nodeOfHost("node1-nodes.example.com")?.id).toBe(idOf("node2"));
  const upper = [{ ...node1, name: "NODE1" }, node2, ...rest] as typeof table.nodes;
  expect(
    new Routes({ ...table, nodes: upper }, "example.com").nodeOfHost("node1-nodes.example.com")?.id,
  ).toBe(idOf("node1"));
});

test("[X4] a node is found by id, name and host name; of two with the same name, the one that is up", () => {
  const [node1, node2, ...rest] = table.nodes;
  const twins = [
    { ...node1, name: "twin", up: false },
    { ...node2, name: "twin" },
    ...rest,
  ] as typeof table.nodes;
  const routes = new Routes({ ...table, nodes: twins });
  expect(routes.node("twin")?.id).toBe(idOf("node2"));
  expect(routes.node(idOf("node1"))?.up).toBe(false);
  expect(routes.nodeOfHost("two.example.com")?.id).toBe(idOf("node2"));
  expect(routes.eligibleNodes.ids).toEqual([idOf("node2")]);
});
