import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import type { RoutingTable, TableOptions } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { quietCallMs } from "../../../src/proxy/link/call-plan.ts";
import type { CallRegistry } from "../../../src/proxy/link/registry-link.ts";
import type { DataPlane, PlaneOptions } from "../../../src/proxy/plane.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { readSnapshot } from "../../../src/telemetry/read-snapshot.ts";
import type { Snapshot } from "../../../src/telemetry/snapshot.ts";
import type { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { addDelta, newTelemetryState } from "../../../src/telemetry/telemetry-state.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { registryReply } from "../../support/test-table.ts";
import { until } from "../../support/until.ts";
import { frozen, inProcessPlane, refused, type Task, type TestRequest } from "./in-process-plane.ts";

/** Turns telemetry on. The counters are taken from the meter. */
const flush = async (): Promise<void> => undefined;
const [a, b] = ["http://127.0.0.2:1001", "http://127.0.0.3:1002"];

/** Sends requests through a plane with telemetry, and returns the counters. */
async function snapshotOf(
  tasks: Readonly<Record<string, Task>>,
  requests: readonly TestRequest[],
  options: Omit<Partial<PlaneOptions>, "flush"> = {},
): Promise<Snapshot> {
  const table = tableOf(1, serviceOf("my-web", 8080, [a, b]));
  const { plane, send } = inProcessPlane(table, tasks, { ...options, flush, nowMs: Date.now });
  for (const request of requests) {
    const response = await send(request);
    await response.text();
  }
  return snapshotOfPlane(plane);
}

function snapshotOfPlane({ meter }: DataPlane): Snapshot {
  const state = newTelemetryState(0);
  addDelta(state, meter?.take(Date.now()) as Delta, { nowMs: Date.now(), waitedMs: 0 });
  return readSnapshot(state, Date.now(), { colos: true });
}

/** A registry that hands counters on. */
function countingRegistry(table: RoutingTable, telemetry: Telemetry): CallRegistry {
  return async ({ counters }) => {
    if (counters !== null) unwrap(telemetry.count(counters));
    return registryReply({ version: table.version, text: printTable(table) });
  };
}

/** The only service of a snapshot. */
function serviceIn({ services }: Snapshot) {
  const [service] = services;
  if (service === undefined) throw new Error("no service was counted");
  return service;
}

const respondingWith =
  (status: number, body = ""): Task =>
  () =>
    new Response(body, { status, headers: { "content-length": String(body.length) } });

test("[J15] requests are counted by service, node and task, with status, bytes and latency", async () => {
  const traffic = await snapshotOf({ [a]: respondingWith(200, "hello"), [b]: respondingWith(404, "no") }, [
    {},
    {},
    { method: "POST", body: "twelve bytes", headers: { "content-length": "12" } },
    { method: "HEAD" },
  ]);
  const service = serviceIn(traffic);
  expect(service).toMatchObject({
    name: "my-web",
    counts: { requests: 4, attempts: 4, responses2xx: 2, responses4xx: 2, bytesIn: 12, retries: 0 },
    latency: { count: 4 },
    open: { now: 0, max: 1 },
    entries: [{ counts: { requests: 4 } }],
  });
  expect(service.counts.bytesOut).toBe(5 + 2 + 5);
  expect(service.tasks).toMatchObject([
    { name: "my-web.1", counts: { requests: 2, attempts: 2, responses2xx: 2, bytesIn: 12, bytesOut: 10 } },
    { name: "my-web.2", counts: { requests: 2, attempts: 2, responses4xx: 2, bytesOut: 2 } },
  ]);
  expect(traffic.nodes).toMatchObject([{ name: "node1", counts: { requests: 4 } }]);
});

/** A body of these chunks without a length. It breaks after the last one if asked to. */
function streamOf(chunks: readonly string[], failure: Error | null = null): ReadableStream<Uint8Array> {
  const rest = [...chunks];
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      await Promise.resolve();
      const chunk = rest.shift();
      if (chunk !== undefined) return controller.enqueue(new TextEncoder().encode(chunk));
      if (failure !== null) return controller.error(failure);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

const megabyte = "m".repeat(1024 ** 2);

test("[Z45] a response and a request of unknown length are counted as they pass", async () => {
  const chunks = ["a", "bc", "def"];
  const task: Task = async (request) => {
    await request.text();
    return new Response(streamOf(chunks));
  };
  const upload = { method: "POST", body: streamOf(["12345", "67"]), duplex: "half" } as const;
  const { counts, tasks } = serviceIn(await snapshotOf({ [a]: task, [b]: task }, [{}, upload]));
  expect(counts).toMatchObject({ requests: 2, bytesIn: 7, bytesOut: 12 });
  expect(tasks.reduce((sum, { counts: ofTask }) => sum + ofTask.bytesOut, 0)).toBe(12);
});

test("[Z45] a response that breaks breaks for the client, with the bytes until then counted", async () => {
  const table = tableOf(1, serviceOf("my-web", 8080, [a]));
  const task: Task = () => new Response(streamOf(["abc"], new Error("gone")));
  const { plane, send } = inProcessPlane(table, { [a]: task }, { flush, nowMs: Date.now });
  const response = await send();
  await expect(response.text()).rejects.toThrow();
  expect(serviceIn(snapshotOfPlane(plane)).counts.bytesOut).toBe(3);
});

test("[Z45] on Cloudflare a long response is whole, and counted up to about a megabyte", async () => {
  const task: Task = () => new Response(streamOf([megabyte, megabyte, "end"]));
  const table = tableOf(1, serviceOf("my-web", 8080, [a]));
  const options = { flush, nowMs: Date.now, platformStatuses: true };
  const { plane, send } = inProcessPlane(table, { [a]: task }, options);
  expect((await (await send()).text()).length).toBe(2 * megabyte.length + 3);
  const { bytesOut } = serviceIn(snapshotOfPlane(plane)).counts;
  expect(bytesOut).toBeGreaterThanOrEqual(megabyte.length);
  expect(bytesOut).toBeLessThan(2 * megabyte.length);
});

test("[J16] an error counts at the failed task, its retry at the next one, and the ejection is reported", async () => {
  const traffic = await snapshotOf({ [a]: refused, [b]: respondingWith(200) }, [{}, {}, {}]);
  const service = serviceIn(traffic);
  expect(service.counts).toMatchObject({
    requests: 3,
    responses2xx: 3,
    attempts: 4,
    retries: 1,
    redispatches: 1,
    connectErrors: 1,
    ejections: 1,
  });
  expect(service.tasks).toMatchObject([
    { counts: { attempts: 1, connectErrors: 1, redispatches: 1, ejections: 1, requests: 0 }, ejectedBy: 1 },
    { counts: { attempts: 3, retries: 1, requests: 3, responses2xx: 3 }, ejectedBy: 0 },
  ]);
  expect(traffic.colos[0]?.isolates[0]?.tasks[0]).toMatchObject({ ejectedBy: 1 });
});

test("[J16] an attempt beside a slow one is a hedge, and is won when its response comes first", async () => {
  const service = serviceIn(
    await snapshotOf({ [a]: frozen, [b]: respondingWith(200) }, [{}], { tryTimeoutMs: 60 }),
  );
  expect(service.counts).toMatchObject({ requests: 1, attempts: 2, hedges: 1, hedgesWon: 1, retries: 0 });
  expect(service.tasks).toMatchObject([
    { counts: { attempts: 1, hedges: 0, requests: 0 }, open: { now: 0, max: 1 } },
    { counts: { attempts: 1, hedges: 1, hedgesWon: 1, requests: 1 }, open: { now: 0, max: 1 } },
  ]);
});

test("[Y39] a client that breaks off its body counts as its own 400, and as no failure of the task", async () => {
  const broken = () => ({
    method: "POST",
    headers: { "content-length": "9" },
    body: new ReadableStream({ type: "bytes", pull: (stream) => stream.error(new Error("gone")) }),
    duplex: "half" as const,
  });
  const reading: Task = async (request) => new Response(await request.text());
  const service = serviceIn(await snapshotOf({ [a]: reading, [b]: reading }, [broken(), broken()]));
  const none = { connectErrors: 0, responseErrors: 0, timeouts: 0, responses5xx: 0, ejections: 0 };
  expect(service.counts).toMatchObject({ ...none, requests: 2, attempts: 2, refused400: 2, responses4xx: 2 });
  expect(service.tasks).toMatchObject([
    { counts: { ...none, requests: 1 }, open: { now: 0 } },
    { counts: { ...none, requests: 1 }, open: { now: 0 } },
  ]);
});

test("[J16] a timeout counts at the task, and the 504 as a refusal of the mesh", async () => {
  const request = { method: "POST", body: "x", headers: { "content-length": "1" } };
  const service = serviceIn(await snapshotOf({ [a]: frozen, [b]: frozen }, [request], { headTimeoutMs: 60 }));
  expect(service.counts).toMatchObject({ requests: 1, timeouts: 1, responses5xx: 1, refused504: 1 });
  expect(service.tasks).toMatchObject([
    { counts: { timeouts: 1, responses5xx: 0, requests: 1 }, open: { now: 0, max: 1 } },
  ]);
});

test("[J17] refusals are counted by status, with or without a service", async () => {
  const traffic = await snapshotOf({ [a]: refused, [b]: refused }, [
    { headers: { host: "bad host" }, url: "http://x/" },
    { entry: { port: 9999 } },
    { headers: { "x-waggle-loop": "my-web.test-mesh" } },
    {},
  ]);
  expect(serviceIn(traffic).counts).toMatchObject({ requests: 2, refused508: 1, refused502: 1, attempts: 2 });
  const strays = traffic.strays.map(({ nodeId, counts }) => [nodeId, counts.refused400, counts.refused404]);
  expect(strays).toEqual([
    ["", 1, 0],
    [expect.stringMatching(/^\S+$/), 0, 1],
  ]);
});

test("[J17] the edge's refusal of a service in host mode without tasks counts for the service", async () => {
  const table = tableOf(1, serviceOf("my-web", 8080, [], { mode: "host" }));
  const telemetry = newTelemetry();
  const { plane, send } = inProcessPlane(table, {}, { flush, nowMs: Date.now });
  expect((await send({ entry: { role: "edge" } })).status).toBe(503);
  unwrap(telemetry.count(plane.meter?.take(Date.now())));
  expect(serviceIn(telemetry.snapshot({})).counts).toMatchObject({ requests: 1, refused503: 1 });
});

test("[J15] a static server counts as a task with its name, and at no node if none is needed", async () => {
  const server = { id: "server1", name: "web1", origin: a, weight: 1 };
  const table = { ...tableOf(1, { ...serviceOf("my-web", 8080, []), servers: [server] }), nodes: [] };
  const telemetry = newTelemetry();
  const { plane, send } = inProcessPlane(table, { [a]: respondingWith(200) }, { flush, nowMs: Date.now });
  expect((await send({ entry: { role: "edge" } })).status).toBe(200);
  unwrap(telemetry.count(plane.meter?.take(Date.now())));
  expect(telemetry.snapshot({})).toMatchObject({
    services: [
      { counts: { requests: 1 }, tasks: [{ name: "web1", nodeId: "", slot: 0 }], entries: [{ nodeId: "" }] },
    ],
    nodes: [],
  });
});

test("[J6] the queue gauge counts waiting requests, and not one that is refused at once", async () => {
  const telemetry = newTelemetry();
  const table = tableOf(1, serviceOf("my-web", 8080, [a], { options: { maxconn: 1, queue: 1 } }));
  const responses: (() => void)[] = [];
  const task: Task = () => new Promise((resolve) => responses.push(() => resolve(new Response("done"))));
  const { plane, send } = inProcessPlane(table, { [a]: task }, { flush, nowMs: () => Date.now() });
  const queueGauge = async () => {
    const delta = plane.meter?.take(Date.now()) ?? null;
    if (delta !== null) unwrap(telemetry.count(delta));
    return telemetry.snapshot({}).services[0]?.queue;
  };
  const first = send({ method: "POST" });
  await until("it is at the task", async () => responses.length === 1);
  const second = send({ method: "POST" });
  await until("it is queued", async () => (await queueGauge())?.now === 1);
  expect((await send({ method: "POST" })).status).toBe(503);
  responses[0]?.();
  await until("the second is at the task", async () => responses.length === 2);
  responses[1]?.();
  expect([(await first).status, (await second).status]).toEqual([200, 200]);
  expect(await queueGauge()).toEqual({ now: 0, max: 1 });
  expect(telemetry.snapshot({}).services[0]?.counts).toMatchObject({
    requests: 3,
    refused503: 1,
    attempts: 2,
  });
});

test("[J40] queued requests are reported while no request ends", async () => {
  const telemetry = newTelemetry();
  const table = tableOf(1, serviceOf("my-web", 8080, [a], { options: { maxconn: 1 } }));
  const responses: (() => void)[] = [];
  const task: Task = () => new Promise((resolve) => responses.push(() => resolve(new Response("done"))));
  const limits = { headTimeoutMs: 20_000, frozenMs: 20_000 };
  const callRegistry = countingRegistry(table, telemetry);
  const { send } = inProcessPlane(table, { [a]: task }, { flush, callRegistry, nowMs: Date.now, ...limits });
  const requests = [send({ method: "POST" }), send({ method: "POST" }), send({ method: "POST" })];
  const service = () => telemetry.snapshot({}).services[0];
  await until("both are reported", async () => service()?.queue.now === 2);
  expect(service()).toMatchObject({ open: { now: 3 }, counts: { requests: 0 } });
  expect(responses).toHaveLength(1);
  for (let left = requests.length; left > 0; left -= 1) {
    await until("one is at the task", async () => responses.length > 0);
    responses.shift()?.();
  }
  expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200, 200]);
});

describe("a request that waits for minutes", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const minutes = 6;
  const slow: Task = () =>
    new Promise((resolve) => setTimeout(resolve, minutes * 60_000, new Response("done")));
  const headTimeoutMs = 3_600_000;

  test.each<[string, TestRequest, TableOptions]>([
    ["a POST without a head timeout", { method: "POST" }, {}],
    ["a POST with one", { method: "POST" }, { headTimeoutMs }],
    ["a GET with a long head timeout", {}, { headTimeoutMs, hedge: false }],
    ["a GET that is hedged", {}, { headTimeoutMs }],
  ])("[J44] %s counts as open until it ends, with other traffic and without", async (_, request, options) => {
    for (const hasTraffic of [true, false]) {
      const telemetry = newTelemetry(() => Date.now());
      const table = tableOf(1, serviceOf("slow", 8080, [a], { options }), serviceOf("quick", 8081, [b]));
      const nowMs = () => Date.now();
      const callRegistry = countingRegistry(table, telemetry);
      const { send } = inProcessPlane(
        table,
        { [a]: slow },
        { flush, callRegistry, nowMs, headTimeoutMs: null },
      );
      const openNow = () => {
        const [service] = telemetry
          .snapshot({ saveFirst: true })
          .services.filter(({ name }) => name === "slow");
        return [service?.open.now, service?.tasks[0]?.open.now];
      };
      const pending = send(request);
      for (let second = 10; second < minutes * 60; second += 10) {
        if (hasTraffic) void send({ entry: { port: 8081 } });
        await vi.advanceTimersByTimeAsync(10_000);
        if (hasTraffic || second > 40) expect(openNow(), `after ${second} s`).toEqual([1, 1]);
      }
      await vi.advanceTimersByTimeAsync(20_000);
      expect(await (await pending).text()).toBe("done");
      await vi.advanceTimersByTimeAsync(quietCallMs + 1_000);
      expect(openNow()).toEqual([0, 0]);
    }
  });

  test("[J44] a queued request counts as queued and open until it leaves the queue", async () => {
    const telemetry = newTelemetry(() => Date.now());
    const options = { headTimeoutMs, maxconn: 1, queue: 5, queueTimeoutMs: headTimeoutMs };
    const table = tableOf(1, serviceOf("slow", 8080, [a], { options }));
    const callRegistry = countingRegistry(table, telemetry);
    const { send } = inProcessPlane(table, { [a]: slow }, { flush, callRegistry, nowMs: () => Date.now() });
    const now = () =>
      telemetry.snapshot({ saveFirst: true }).services.map(({ open, queue }) => [open.now, queue.now]);
    const pending = [send({ method: "POST" }), send({ method: "POST" })];
    for (let second = 10; second < minutes * 60; second += 10) {
      await vi.advanceTimersByTimeAsync(10_000);
      expect(now(), `after ${second} s`).toEqual([[2, 1]]);
    }
    // The first ends after ten seconds, and is reported with the next call.
    await vi.advanceTimersByTimeAsync(10_000 + quietCallMs + 1_000);
    expect(now()).toEqual([[1, 0]]);
    await vi.advanceTimersByTimeAsync(minutes * 60_000);
    for (const response of pending) expect((await response).status).toBe(200);
    await vi.advanceTimersByTimeAsync(quietCallMs + 1_000);
    expect(now()).toEqual([[0, 0]]);
  });
});
