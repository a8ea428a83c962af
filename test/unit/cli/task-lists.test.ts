// `waggle node ps`, `waggle task ls`, `waggle service rollback` and `waggle service logs`.

import { expect, test } from "vitest";
import { node, service, task } from "./engine-objects.ts";
import { fakeMesh, type Routes, runOn } from "./support.ts";

const [node1, node2] = [node("node1"), node("node2")];
const web = service("web");
const api = service("api");
const tasks = [
  task("w1", { service: web, slot: 1, node: node1 }),
  task("w2", { service: web, slot: 2, node: node2 }),
  task("a1", { service: api, slot: 1, node: node1, state: "failed", desired: "shutdown", err: "exit 1" }),
];
const routes: Routes = {
  "GET /services": { json: [web, api] },
  "GET /nodes": { json: [node1, node2] },
  "GET /nodes/node1": { json: node1 },
  "GET /tasks": ({ query }) => {
    const { node: wanted } = JSON.parse(query.get("filters") ?? "{}") as { node?: Record<string, boolean> };
    return { json: tasks.filter(({ NodeID }) => wanted === undefined || wanted[NodeID ?? ""]) };
  },
};

test("[L104] task ls lists the tasks of all services, by name", async () => {
  await using mesh = await fakeMesh(routes);
  const { out } = await runOn(mesh, ["task", "ls", "--format", "{{.Name}} {{.Node}} {{.DesiredState}}"]);
  expect(out).toBe("api.1 node1 Shutdown\nweb.1 node1 Running\nweb.2 node2 Running\n");
  expect((await runOn(mesh, ["task", "ls"])).out).toMatch(
    /^ID +NAME +IMAGE +NODE +DESIRED STATE +CURRENT STATE +ERROR +PORTS\n/,
  );
  await runOn(mesh, ["task", "ls", "--filter", "desired-state=running", "--filter", "service=web"]);
  expect(
    JSON.parse(mesh.calls.findLast(({ path }) => path === "/tasks")?.query.get("filters") ?? ""),
  ).toEqual({
    "desired-state": { running: true },
    service: { web: true },
  });
});

test("[L104] node ps lists the tasks of nodes; one that does not exist is refused", async () => {
  await using mesh = await fakeMesh(routes);
  expect((await runOn(mesh, ["node", "ps", "--format", "{{.Name}}", "node1"])).out).toBe("api.1\nweb.1\n");
  const { out } = await runOn(mesh, ["node", "ps", "--json", "node1"]);
  expect(JSON.parse(out)).toEqual([tasks[0], tasks[2]]);
  expect(await runOn(mesh, ["node", "ps", "node9"])).toMatchObject({ code: 1, out: "" });
});

test("[L105] service rollback asks for the previous spec of the version that it read, and waits", async () => {
  await using mesh = await fakeMesh({
    ...routes,
    "GET /services/web": { json: web },
    [`GET /services/${web.ID}`]: { json: web },
    [`POST /services/${web.ID}/update`]: { json: { Warnings: null } },
  });
  expect(await runOn(mesh, ["service", "rollback", "web"])).toMatchObject({ code: 0, out: "web\n" });
  const call = mesh.calls.find(({ method }) => method === "POST");
  expect(Object.fromEntries(call?.query ?? [])).toEqual({ version: "12", rollback: "previous" });
  expect(call?.body).toEqual(web.Spec);
});

test("[L105] service rollback of a service without an earlier spec is refused in the mesh's words", async () => {
  await using mesh = await fakeMesh({
    "GET /services/web": { json: web },
    [`POST /services/${web.ID}/update`]: {
      status: 400,
      json: {
        message: "rpc error: code = FailedPrecondition desc = service web does not have a previous spec",
      },
    },
  });
  expect(await runOn(mesh, ["service", "rollback", "web"])).toEqual({
    code: 1,
    out: "",
    err: "waggle: service web does not have a previous spec\n",
  });
});

test("[L105] service logs is logs", async () => {
  await using mesh = await fakeMesh({
    ...routes,
    "GET /services/web": { json: web },
    [`GET /services/${web.ID}/logs`]: { text: "" },
  });
  for (const verb of [["logs"], ["service", "logs"]])
    expect(await runOn(mesh, [...verb, "--tail", "3", "web"])).toEqual({ code: 0, out: "", err: "" });
  const [first, second] = mesh.calls.filter(({ path }) => path.endsWith("/logs"));
  expect(first?.query).toEqual(second?.query);
});
