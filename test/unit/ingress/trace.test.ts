import { expect, test } from "vitest";
import { readWay } from "../../../src/cli/trace/way.ts";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { frozen, madeUpPlane, refused } from "./made-up-plane.ts";

const table = tableOf(7, serviceOf("my-web", 8080, ["http://a", "http://b", "http://c"]));
const headers = { "x-waggle-debug": "1" };
const may = { mayDebug: () => true };

test("[L17] whoever shows a token is told the entry, the policy and every task asked with what came of it", async () => {
  const { ask } = madeUpPlane(table, { "http://a": refused });
  const answer = await ask({ headers, door: { ...may, role: "edge" } });
  expect(readWay(Object.fromEntries(answer.headers))).toEqual({
    entry: "edge",
    node: "node1",
    service: "my-web",
    policy: "roundrobin",
    attempts: [
      { taskId: taskId("my-web", 1), task: "my-web.1", node: "node1", atMs: 0, tookMs: 0, outcome: "failed" },
      { taskId: taskId("my-web", 2), task: "my-web.2", node: "node2", atMs: 0, tookMs: 0, outcome: "200" },
    ],
    tableVersion: 7,
    tableAgeMs: 0,
    requestId: "made-up-id",
  });
});

test("[L17] a task that kept the request waiting is told with how long it was waited for", async () => {
  const { ask } = madeUpPlane(table, { "http://a": frozen }, { nowMs: () => Date.now() });
  const answer = await ask({ headers, door: may });
  const [first, second] = readWay(Object.fromEntries(answer.headers))?.attempts ?? [];
  expect([first?.outcome, second?.outcome]).toEqual(["none", "200"]);
  expect(second?.atMs).toBeGreaterThanOrEqual(50);
  const endMs = (attempt: typeof first) => (attempt?.atMs ?? 0) + (attempt?.tookMs ?? 0);
  expect(endMs(first)).toBeGreaterThanOrEqual(endMs(second));
});

test("[L17] without a token nothing of it is told", async () => {
  const answer = await madeUpPlane(table).ask({ headers });
  expect([...answer.headers.keys()].filter((name) => name.startsWith("x-waggle"))).toEqual([]);
});
