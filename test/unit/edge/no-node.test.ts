// A mesh without nodes: the edge balances over static servers, as HAProxy does.

import { expect, test } from "vitest";
import type { RoutingTable, TableServer } from "../../../src/domain/table/table.ts";
import { explainRoute } from "../../../src/explain/explain.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, refused } from "../ingress/in-process-plane.ts";

const edgeEntry = { role: "edge" } as const;

function tableWith(servers: readonly TableServer[]): RoutingTable {
  const table = tableOf(1, serviceOf("web", 8080, []));
  const [web] = table.services;
  if (web === undefined) throw new Error("no service");
  return { ...table, nodes: [], services: [{ ...web, ...(servers.length > 0 && { servers }) }] };
}

const twoServers = tableWith([
  { id: "a", name: "node1", weight: 1, origin: "http://10.0.0.1:8080" },
  { id: "b", name: "node2", weight: 1, origin: "http://10.0.0.2:8080" },
]);

test("[F28] without nodes the edge picks static servers in turn, without further requests to the registry", async () => {
  const mesh = inProcessPlane(twoServers);
  for (let i = 0; i < 4; i += 1) expect((await mesh.send({ entry: edgeEntry })).status).toBe(200);
  expect(mesh.origins().sort()).toEqual([
    "http://10.0.0.1:8080",
    "http://10.0.0.1:8080",
    "http://10.0.0.2:8080",
    "http://10.0.0.2:8080",
  ]);
  expect(mesh.afterVersions).toEqual([-1]);
});

test("[F28] a request is retried on the next server when one cannot be reached", async () => {
  const mesh = inProcessPlane(twoServers, { "http://10.0.0.1:8080": refused });
  const responses = await Promise.all([mesh.send({ entry: edgeEntry }), mesh.send({ entry: edgeEntry })]);
  expect(await Promise.all(responses.map((response) => response.text()))).toEqual([
    "http://10.0.0.2:8080",
    "http://10.0.0.2:8080",
  ]);
});

test("[F28] the refusal without nodes and servers says that there are neither", async () => {
  const response = await inProcessPlane(tableWith([])).send({ entry: edgeEntry });
  expect(response.status).toBe(503);
  expect(await response.text()).toContain(
    "no node has joined this mesh yet, and web has no server that is up",
  );
});

test("[F28] an unknown node is 404", async () => {
  const response = await inProcessPlane(twoServers).send({ entry: { role: "ingress", node: "node7" } });
  expect(response.status).toBe(404);
});

test("[F28] the explanation shows the static servers and the refusal", () => {
  const entry = { role: "edge", node: null, port: 8080, why: "" } as const;
  const request = { method: "GET", host: "x", path: "/", domain: "", entry };
  expect(explainRoute(twoServers, request)).toMatchObject({
    tasks: [
      { name: "web/node1", picked: true },
      { name: "web/node2", picked: true },
    ],
    response: { by: "task" },
  });
  expect(explainRoute(tableWith([]), request).response).toMatchObject({ by: "mesh", status: 503 });
});
