import { expect, test } from "vitest";
import { readTracedRoute } from "../../../src/cli/trace/traced-route.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { registryReply } from "../../support/test-table.ts";
import { frozen, inProcessPlane, refused } from "./in-process-plane.ts";

const table = tableOf(7, serviceOf("my-web", 8080, ["http://a", "http://b", "http://c"]));
const headers = { "x-waggle-debug": "1" };
const debug = { mayDebug: () => true };

test("[L17] debug headers with a token show the entry point, the policy and each attempt with its outcome", async () => {
  const { send } = inProcessPlane(table, { "http://a": refused });
  const response = await send({ headers, entry: { ...debug, role: "edge" } });
  expect(readTracedRoute(Object.fromEntries(response.headers))).toEqual({
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

test("[L17] an attempt without a response has the outcome none and the time it was waited for", async () => {
  const plane = { nowMs: () => Date.now(), tryTimeoutMs: 60 };
  const { send } = inProcessPlane(table, { "http://a": frozen }, plane);
  const response = await send({ headers, entry: debug });
  const [first, second] = readTracedRoute(Object.fromEntries(response.headers))?.attempts ?? [];
  expect([first?.outcome, second?.outcome]).toEqual(["none", "200"]);
  expect(second?.atMs).toBeGreaterThanOrEqual(50);
  const endMs = (attempt: typeof first) => (attempt?.atMs ?? 0) + (attempt?.tookMs ?? 0);
  expect(endMs(first)).toBeGreaterThanOrEqual(endMs(second));
});

test("[L17] a debug request without a token gets no debug headers", async () => {
  const response = await inProcessPlane(table).send({ headers });
  expect([...response.headers.keys()].filter((name) => name.startsWith("x-waggle"))).toEqual([]);
});

test("[Y28] debug headers list the ejected tasks, and report panic when more than half are ejected", async () => {
  const { send, plane, state } = inProcessPlane(table, { "http://a": refused, "http://b": refused });
  const first = await send({ headers, entry: debug });
  // Two attempts failed before the third.
  expect(first.headers.get("x-waggle-panic")).toBe("2 of 3 tasks fail: all are used");
  expect([plane.outliers.ejectionCount, plane.outliers.panicCount]).toEqual([2, 1]);
  state.nowMs += 500;
  plane.outliers.failed(taskId("my-web", 3), state.nowMs);
  const panic = await send({ headers, entry: debug });
  const ejections = [1, 2].map((slot) => `${taskId("my-web", slot)};for=1500`);
  expect(panic.headers.get("x-waggle-ejected")).toBe(
    [...ejections, `${taskId("my-web", 3)};for=2000`].join(", "),
  );
  expect(plane.outliers.panicCount).toBeGreaterThan(1);
});

test("[Y28] debug headers show the error of the last table refresh in printable ASCII", async () => {
  let isDown = false;
  const callRegistry = async () => {
    if (isDown) throw new Error("the registry\nis héré no more");
    return registryReply({ version: 7, text: printTable(table) });
  };
  const { send, state } = inProcessPlane(table, {}, { callRegistry });
  await send();
  isDown = true;
  state.nowMs += 60_000;
  const response = await send({ headers, entry: debug });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-waggle-table-age-ms")).toBe("60000");
  expect(response.headers.get("x-waggle-table-problem")).toBe("the registry?is h?r? no more");
});
