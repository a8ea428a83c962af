// A balancer without nodes: HAProxy's own case.

import { expect, test } from "vitest";
import type { RoutingTable, TableServer } from "../../../src/domain/table/table.ts";
import { explainRoute } from "../../../src/explain/explain.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, refused } from "../ingress/in-process-plane.ts";

const entry = { role: "edge" } as const;

function aTable(servers: readonly TableServer[]): RoutingTable {
  const table = tableOf(1, serviceOf("web", 8080, []));
  const [web] = table.services;
  if (web === undefined) throw new Error("no service");
  return { ...table, nodes: [], services: [{ ...web, ...(servers.length > 0 && { servers }) }] };
}

const two = aTable([
  { id: "a", name: "node1", weight: 1, origin: "http://10.0.0.1:8080" },
  { id: "b", name: "node2", weight: 1, origin: "http://10.0.0.2:8080" },
]);

test("[F28] the balancer of a mesh without nodes takes static servers in turn, and asks the registry no more often", async () => {
  const mesh = inProcessPlane(two);
  for (let i = 0; i < 4; i += 1) expect((await mesh.send({ entry })).status).toBe(200);
  expect(mesh.origins().sort()).toEqual([
    "http://10.0.0.1:8080",
    "http://10.0.0.1:8080",
    "http://10.0.0.2:8080",
    "http://10.0.0.2:8080",
  ]);
  expect(mesh.afterVersions).toEqual([-1]);
});

test("[F28] it goes on to the next server when one cannot be reached", async () => {
  const mesh = inProcessPlane(two, { "http://10.0.0.1:8080": refused });
  const answers = await Promise.all([mesh.send({ entry }), mesh.send({ entry })]);
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual([
    "http://10.0.0.2:8080",
    "http://10.0.0.2:8080",
  ]);
});

test("[F28] without a node and without a server it says that there is neither", async () => {
  const answer = await inProcessPlane(aTable([])).send({ entry });
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("no node has joined this mesh yet, and web has no server that is up");
});

test("[F28] a node that the mesh does not have is still refused", async () => {
  const answer = await inProcessPlane(two).send({ entry: { role: "ingress", node: "node7" } });
  expect(answer.status).toBe(404);
});

test("[F28] what would happen is explained in the same way", () => {
  const entry = { role: "edge", node: null, port: 8080, why: "" } as const;
  const question = { method: "GET", host: "x", path: "/", domain: "", entry };
  expect(explainRoute(two, question)).toMatchObject({
    tasks: [
      { name: "web/node1", picked: true },
      { name: "web/node2", picked: true },
    ],
    answer: { by: "task" },
  });
  expect(explainRoute(aTable([]), question).answer).toMatchObject({ by: "mesh", status: 503 });
});
