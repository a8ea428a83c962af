import { expect, test } from "vitest";
import { type Forwarding, forward, newForwardState } from "../../../src/ingress/forward.ts";
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
const answers =
  (text: string): Task =>
  async () =>
    new Response(text);

const get: Partial<UpstreamRequest> = { isRepeatable: true, isHedgeable: true };
const post: Partial<UpstreamRequest> = { isRepeatable: false, isHedgeable: false };

function asking(
  tasks: Readonly<Record<string, Task>>,
  upstream: Partial<UpstreamRequest>,
  headTimeoutMs = 2_000,
) {
  const sent: string[] = [];
  const plane = createPlane({
    suspect: async () => undefined,
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
  const asked: Forwarding = {
    incoming: receive(request, entry, { plane, waitUntil: () => undefined }),
    upstream: { isRepeatable: true, isHedgeable: true, isTimed: true, init: {}, ...upstream },
    route: new Route(serviceOf("s", 80, []), 80, "ingress"),
    pool,
    hints: null,
    stats: addServiceStats(plane.stats, "s"),
    cursor: "r",
    countedAt: null,
    state: newForwardState(),
  };
  return { asked, sent, plane };
}

async function textOf(asked: Awaited<ReturnType<typeof forward>>): Promise<string> {
  return asked instanceof Response ? asked.text() : asked;
}

test("[Y1] a task that keeps a safe request waiting is not waited for: another is asked and the first answer wins", async () => {
  const { asked, sent } = asking({ a: frozen, b: answers("b") }, get);
  expect(await textOf(await forward(asked))).toBe("b");
  expect(sent).toEqual(["a", "b"]);
  expect(asked.state.target?.taskId).toBe("b");
});

test("[Y1] a request that changes something is sent to one task at a time", async () => {
  const { asked, sent } = asking({ a: frozen, b: answers("b") }, post, 300);
  expect(await forward(asked)).toBe("slow");
  expect(sent).toEqual(["a"]);
});

test("[Y1] no task is asked twice, and no more than four for one request", async () => {
  const { asked, sent } = asking({ a: refused, b: refused, c: refused, d: refused, e: refused }, get);
  await forward(asked);
  expect(new Set(sent).size).toBe(sent.length);
  expect(sent.length).toBeLessThanOrEqual(4);
});

test("[Y2] where too many were sent twice already, a failing request is not sent on", async () => {
  const { asked } = asking({ a: refused, b: answers("b") }, get);
  while (asked.stats.retries.take(Date.now()));
  expect(await forward(asked)).toBe("spent");
});

test("[Y6] a task that starts to be passed over is named to the registry once, and the registry is told once a second at most", async () => {
  const { asked, plane } = asking({ a: refused, b: answers("b") }, get);
  await forward(asked);
  await forward({ ...asked, state: newForwardState() });
  const nowMs = Date.now();
  expect(plane.suspects.due(nowMs)).toEqual(["a"]);
  plane.suspects.add("b");
  expect(plane.suspects.due(nowMs + 500)).toBeNull();
  expect(plane.suspects.due(nowMs + 1_000)).toEqual(["b"]);
});

test("[Y3] once a task is known to be frozen, requests that cannot be sent again pass it over", async () => {
  const { asked, plane } = asking({ a: frozen, b: answers("b") }, post);
  plane.outliers.failed("a", Date.now());
  for (let turn = 0; turn < 4; turn++)
    expect(await textOf(await forward({ ...asked, state: newForwardState() }))).toBe("b");
});
