import { expect, test } from "vitest";
import { type Forwarding, newForwardState } from "../../../src/ingress/forwarding.ts";
import { forward } from "../../../src/ingress/proxy.ts";
import { receive } from "../../../src/ingress/proxy-request.ts";
import type { UpstreamRequest } from "../../../src/ingress/upstream-request.ts";
import { createPlane } from "../../../src/proxy/plane.ts";
import { addServiceStats } from "../../../src/proxy/resilience/service-stats.ts";
import { Route } from "../../../src/proxy/routing/routes.ts";
import { poolOf } from "../../../src/proxy/routing/target-pool.ts";
import { serviceOf } from "../../support/dataplane.ts";

type Task = (signal: string) => Promise<Response>;

const frozen: Task = () => new Promise(() => undefined);
const refused: Task = () => Promise.reject(new Error("Network connection lost."));
const respondsWith =
  (text: string): Task =>
  async () =>
    new Response(text);

const get: Partial<UpstreamRequest> = { isRepeatable: true, isHedgeable: true };
const post: Partial<UpstreamRequest> = { isRepeatable: false, isHedgeable: false };

function newForwarding(
  tasks: Readonly<Record<string, Task>>,
  upstream: Partial<UpstreamRequest>,
  headTimeoutMs = 2_000,
) {
  const sent: string[] = [];
  const plane = createPlane({
    reportSuspects: async () => undefined,
    source: async () => ({ version: 1, text: null }),
    dial: (url) => {
      const id = new URL(url).hostname;
      sent.push(id);
      return tasks[id]?.(id) ?? refused(id);
    },
    headTimeoutMs,
    platformStatuses: false,
    meshName: "waggle",
    domain: "",
    trusts: () => false,
    nowMs: () => Date.now(),
    random: () => 0,
    newId: () => "id",
  });
  const ids = Object.keys(tasks).sort();
  const targets = ids.map((taskId, index) => ({
    taskId,
    slot: index + 1,
    nodeId: "n",
    server: null,
    origin: `http://${taskId}`,
    share: { weight: 1 },
  }));
  const entry = {
    role: "edge",
    node: null,
    port: null,
    client: "203.0.113.7",
    scheme: "http",
    mayDebug: () => false,
  } as const;
  const request = new Request("http://www.example.com/");
  const pool = poolOf(targets);
  const forwarding: Forwarding = {
    incoming: receive(request, entry, { plane, waitUntil: () => undefined }),
    upstream: { isRepeatable: true, isHedgeable: true, isTimed: true, init: {}, ...upstream },
    route: new Route(serviceOf("s", 80, []), 80, "ingress"),
    pool,
    hints: null,
    stats: addServiceStats(plane.serviceStats, "s"),
    cursor: "r",
    countedAt: null,
    state: newForwardState(),
  };
  return { forwarding, sent, plane };
}

async function textOf(result: Awaited<ReturnType<typeof forward>>): Promise<string> {
  return result instanceof Response ? result.text() : result;
}

test("[Y1] a safe request is hedged, and the first response wins", async () => {
  const { forwarding, sent } = newForwarding({ a: frozen, b: respondsWith("b") }, get);
  expect(await textOf(await forward(forwarding))).toBe("b");
  expect(sent).toEqual(["a", "b"]);
  expect(forwarding.state.target?.taskId).toBe("b");
});

test("[Y1] a request that is not safe is not hedged", async () => {
  const { forwarding, sent } = newForwarding({ a: frozen, b: respondsWith("b") }, post, 300);
  expect(await forward(forwarding)).toBe("timeout");
  expect(sent).toEqual(["a"]);
});

test("[Y1] a request tries at most four tasks, each once", async () => {
  const { forwarding, sent } = newForwarding(
    { a: refused, b: refused, c: refused, d: refused, e: refused },
    get,
  );
  await forward(forwarding);
  expect(new Set(sent).size).toBe(sent.length);
  expect(sent.length).toBeLessThanOrEqual(4);
});

test("[Y2] a failed request is not retried when the retry budget is used up", async () => {
  const { forwarding } = newForwarding({ a: refused, b: respondsWith("b") }, get);
  while (forwarding.stats.retries.take(Date.now()));
  expect(await forward(forwarding)).toBe("over-budget");
});

test("[Y6] an ejected task is reported to the registry once, and reports are at least a second apart", async () => {
  const { forwarding, plane } = newForwarding({ a: refused, b: respondsWith("b") }, get);
  await forward(forwarding);
  await forward({ ...forwarding, state: newForwardState() });
  const nowMs = Date.now();
  expect(plane.suspects.due(nowMs)).toEqual(["a"]);
  plane.suspects.add("b");
  expect(plane.suspects.due(nowMs + 500)).toBeNull();
  expect(plane.suspects.due(nowMs + 1_000)).toEqual(["b"]);
});

test("[Y3] a request that is not repeatable never goes to an ejected task", async () => {
  const { forwarding, plane } = newForwarding({ a: frozen, b: respondsWith("b") }, post);
  plane.outliers.failed("a", Date.now());
  for (let turn = 0; turn < 4; turn++)
    expect(await textOf(await forward({ ...forwarding, state: newForwardState() }))).toBe("b");
});
