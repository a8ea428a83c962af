import { expect, test } from "vitest";
import { RouteExplanation } from "../../../src/protocol/route.ts";
import { running, TestControl, viewerToken } from "./support.ts";

const path = (query: Readonly<Record<string, string>>) => `GET /mesh/route?${new URLSearchParams(query)}`;

test("[E6] a viewer gets the whole explanation of a request", async () => {
  const control = new TestControl(2);
  await control.create("my-web");
  const query = { url: "http://127.0.0.1:8080/cart?x=1", method: "POST", host: "www.example.com" };
  const response = await control.ask(path(query), { token: viewerToken });
  const explanation = RouteExplanation.parse(response.json);
  expect(explanation.request).toEqual({
    method: "POST",
    host: "www.example.com",
    port: 8080,
    path: "/cart?x=1",
  });
  expect(explanation.match.by).toBe("port");
  expect(explanation.nodes.map(({ name, picked }) => [name, picked])).toEqual([
    ["node1", true],
    ["node2", true],
  ]);
  expect(explanation.tasks.map(({ name, picked }) => [name, picked])).toEqual([
    ["my-web.1", true],
    ["my-web.2", true],
  ]);
  expect(explanation.response.by).toBe("task");
  expect((await control.ask(path(query), { token: null })).status).toBe(401);
});

test("[X154] a request for the control API's host name is not explained as one that a service gets", async () => {
  const control = new TestControl(1);
  await control.create("my-web");
  for (const query of [
    { url: "http://control.localhost:8080/" },
    { url: "http://127.0.0.1:8080/", host: "control.localhost" },
  ]) {
    const { status, json } = await control.ask(path(query as Record<string, string>));
    expect([status, json.message]).toEqual([400, expect.stringMatching(/^no service is reached at control/)]);
  }
});

test("[E4] a task that is not in the table is listed with the reason", async () => {
  const control = new TestControl(2);
  await control.create("my-web");
  const [task] = control.mesh.running("my-web");
  if (task === undefined) throw new Error("no task");
  const health = {
    verdict: "unhealthy",
    streak: { ok: false, length: 3 },
    sinceMs: 0,
    lastCheck: "L4CON in 0ms",
    rise: 2,
    fall: 3,
  } as const;
  control.mesh.report(task, { state: "running", health });
  const { tasks } = (await control.ask(path({ url: "http://127.0.0.1:8080/" }))).json as RouteExplanation;
  expect(tasks.filter(({ picked }) => !picked)).toEqual([
    {
      id: task.id,
      name: `my-web.${task.slot}`,
      node: expect.any(String),
      origin: null,
      picked: false,
      why: "it is unhealthy (L4CON in 0ms)",
    },
  ]);
});

test("[E6] a service without live tasks is 503, and the pending tasks say why", async () => {
  const control = new TestControl(1);
  await control.create("my-web", running({}, { Placement: { Constraints: ["node.labels.zone==a"] } }));
  const { response, tasks } = (await control.ask(path({ url: "http://127.0.0.1:8080/" })))
    .json as RouteExplanation;
  expect(response).toEqual({ by: "mesh", status: 503, reason: "service my-web has no live task" });
  expect(tasks.map(({ why }) => why)).toEqual(
    tasks.map(() => expect.stringContaining("it is pending (no suitable node")),
  );
});

test.each([
  [{ url: "127.0.0.1:8080" }, "cannot read url=127.0.0.1:8080: write it as http://HOST:PORT/PATH"],
  [{}, "cannot read url=: write it as http://HOST:PORT/PATH"],
  [{ url: "http://a/", method: "G T" }, "cannot read method=G T: write it as GET"],
  [{ url: "http://a/", host: "a b" }, "cannot read host=a b: write it as HOST or HOST:PORT"],
])("[E6] an invalid query is refused: %o", async (query, message) => {
  const { status, json } = await new TestControl(1).ask(path(query));
  expect([status, json.message]).toEqual([400, message]);
});
