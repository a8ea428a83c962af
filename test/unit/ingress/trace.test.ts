import { expect, test } from "vitest";
import { readTracedRoute } from "../../../src/cli/trace/traced-route.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { frozen, inProcessPlane, refused } from "./in-process-plane.ts";

const table = tableOf(7, serviceOf("my-web", 8080, ["http://a", "http://b", "http://c"]));
const headers = { "x-waggle-debug": "1" };
const may = { mayDebug: () => true };

test("[L17] whoever shows a token is told the entry, the policy and every task asked with what came of it", async () => {
  const { send } = inProcessPlane(table, { "http://a": refused });
  const answer = await send({ headers, entry: { ...may, role: "edge" } });
  expect(readTracedRoute(Object.fromEntries(answer.headers))).toEqual({
    entry: "edge",
    node: "node1",
    service: "my-web",
    policy: "roundrobin",
    sticky: null,
    queuedMs: null,
    canaryOf: null,
    path: null,
    pathOwner: null,
    attempts: [
      { taskId: taskId("my-web", 1), task: "my-web.1", node: "node1", atMs: 0, tookMs: 0, outcome: "failed" },
      { taskId: taskId("my-web", 2), task: "my-web.2", node: "node2", atMs: 0, tookMs: 0, outcome: "200" },
    ],
    ejected: `${taskId("my-web", 1)};for=2000`,
    panic: null,
    tableVersion: 7,
    tableAgeMs: 0,
    tableProblem: null,
    requestId: "generated-id",
  });
});

test("[L17] a task that kept the request waiting is told with how long it was waited for", async () => {
  const { send } = inProcessPlane(table, { "http://a": frozen }, { nowMs: () => Date.now() });
  const answer = await send({ headers, entry: may });
  const [first, second] = readTracedRoute(Object.fromEntries(answer.headers))?.attempts ?? [];
  expect([first?.outcome, second?.outcome]).toEqual(["none", "200"]);
  expect(second?.atMs).toBeGreaterThanOrEqual(50);
  const endMs = (attempt: typeof first) => (attempt?.atMs ?? 0) + (attempt?.tookMs ?? 0);
  expect(endMs(first)).toBeGreaterThanOrEqual(endMs(second));
});

test("[L17] without a token nothing of it is told", async () => {
  const answer = await inProcessPlane(table).send({ headers });
  expect([...answer.headers.keys()].filter((name) => name.startsWith("x-waggle"))).toEqual([]);
});

test("[Y28] whoever debugs is told which tasks are passed over, and that all are used where more than half fail", async () => {
  const { send, plane, state } = inProcessPlane(table, { "http://a": refused, "http://b": refused });
  const calm = await send({ headers, entry: may });
  // Both failed on the way to the third.
  expect(calm.headers.get("x-waggle-panic")).toBe("2 of 3 tasks fail: all are used");
  expect([plane.outliers.ejectionCount, plane.outliers.panicCount]).toEqual([2, 1]);
  state.nowMs += 500;
  plane.outliers.failed(taskId("my-web", 3), state.nowMs);
  const panic = await send({ headers, entry: may });
  const out = [1, 2].map((slot) => `${taskId("my-web", slot)};for=1500`);
  expect(panic.headers.get("x-waggle-ejected")).toBe([...out, `${taskId("my-web", 3)};for=2000`].join(", "));
  expect(plane.outliers.panicCount).toBeGreaterThan(1);
});

test("[Y28] whoever debugs is told why the table could not be renewed, in characters a header can hold", async () => {
  let away = false;
  const source = async () => {
    if (away) throw new Error("the registry\nis héré no more");
    return { version: 7, text: printTable(table) };
  };
  const { send, state } = inProcessPlane(table, {}, { source });
  await send();
  away = true;
  state.nowMs += 60_000;
  const answer = await send({ headers, entry: may });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-waggle-table-age-ms")).toBe("60000");
  expect(answer.headers.get("x-waggle-table-problem")).toBe("the registry?is h?r? no more");
});
