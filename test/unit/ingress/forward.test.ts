import { expect, test } from "vitest";
import { type Forwarding, newForwardState } from "../../../src/ingress/forwarding.ts";
import { forward } from "../../../src/ingress/proxy.ts";
import { receive } from "../../../src/ingress/proxy-request.ts";
import type { UpstreamRequest } from "../../../src/ingress/upstream-request.ts";
import { createPlane } from "../../../src/proxy/plane.ts";
import { addServiceStats } from "../../../src/proxy/resilience/service-stats.ts";
import { addSilence } from "../../../src/proxy/resilience/silence.ts";
import { Route } from "../../../src/proxy/routing/routes.ts";
import { poolOf } from "../../../src/proxy/routing/target-pool.ts";
import { newBodyPipe } from "../../support/body-pipe.ts";
import { serviceOf } from "../../support/dataplane.ts";
import { registryReply } from "../../support/test-table.ts";

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
    callRegistry: async () => registryReply({ version: 1, text: null }),
    dial: (url) => {
      const id = new URL(url).hostname;
      sent.push(id);
      return tasks[id]?.(id) ?? refused(id);
    },
    dialGateway: () => Promise.reject(new Error("no gateway")),
    newBodyPipe,
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
    port: 80,
    origin: `http://${taskId}`,
    gateway: null,
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
    policy: plane.policies[upstream.isRepeatable === false ? "sentOnce" : "repeatable"],
    incoming: receive(request, entry, { plane, waitUntil: () => undefined }),
    upstream: { isRepeatable: true, isHedgeable: true, streams: false, init: {}, ...upstream },
    route: new Route(serviceOf("s", 80, []), 80, "ingress", () => undefined),
    pool,
    hints: null,
    stats: addServiceStats(plane.serviceStats, "s"),
    cursor: "r",
    countedAt: null,
    state: { ...newForwardState(), attemptsLeft: 4 },
  };
  return { forwarding, sent, plane };
}

/** Two earlier requests wait at each silent target, and another one has responded since. */
function makeSilent({ stats }: Forwarding, silentIds: readonly string[], otherId: string): void {
  const nowMs = Date.now();
  for (const id of silentIds) {
    Object.assign(addSilence(stats.silences, id), { firstMs: nowMs - 900, secondMs: nowMs - 800 });
  }
  addSilence(stats.silences, otherId).respondedMs = nowMs - 700;
}

async function textOf(result: Awaited<ReturnType<typeof forward>>): Promise<string> {
  return result instanceof Response ? result.text() : result;
}

test("[Y1] [Y38] a safe request at a silent task is hedged, and the first response wins", async () => {
  const { forwarding, sent } = newForwarding({ a: frozen, b: respondsWith("b") }, get);
  makeSilent(forwarding, ["a"], "b");
  expect(await textOf(await forward(forwarding))).toBe("b");
  expect(sent).toEqual(["a", "b"]);
  expect(forwarding.state.target?.taskId).toBe("b");
});

test("[Y38] a safe request leaves a task that returns from an ejection with it", async () => {
  const { forwarding, sent, plane } = newForwarding({ a: frozen, b: respondsWith("b") }, get);
  plane.outliers.slow("a", 0);
  plane.outliers.slow("a", 0);
  expect(plane.outliers.slow("a", 0)).toBe(true);
  expect(await textOf(await forward(forwarding))).toBe("b");
  expect(sent).toEqual(["a", "b"]);
});

test("[Y37] without a sign that the task is silent a safe request waits for it", async () => {
  const { forwarding, sent } = newForwarding({ a: frozen, b: respondsWith("b") }, get, 600);
  expect(await forward(forwarding)).toBe("timeout");
  expect(sent).toEqual(["a"]);
});

test("[Y20] a safe request goes to a third task when the first two are silent", async () => {
  const { forwarding, sent } = newForwarding({ a: frozen, b: frozen, c: respondsWith("c") }, get);
  makeSilent(forwarding, ["a", "b"], "c");
  expect(await textOf(await forward(forwarding))).toBe("c");
  expect(sent).toEqual(["a", "b", "c"]);
});

test("[Y20] at most four tasks get the request at a time", async () => {
  const tasks = { a: frozen, b: frozen, c: frozen, d: frozen, e: respondsWith("e") };
  const { forwarding, sent } = newForwarding(tasks, get, 800);
  makeSilent(forwarding, ["a", "b", "c", "d"], "e");
  expect(await forward(forwarding)).toBe("timeout");
  expect(sent).toEqual(["a", "b", "c", "d"]);
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
  await forward({ ...forwarding, state: { ...newForwardState(), attemptsLeft: 4 } });
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
    expect(
      await textOf(await forward({ ...forwarding, state: { ...newForwardState(), attemptsLeft: 4 } })),
    ).toBe("b");
});
