// Slow and frozen tasks, in simulated time.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { frozen, type InProcessPlane, inProcessPlane, refused, type Task } from "./in-process-plane.ts";
import { type Arrival, type Behavior, baseOf, gatewayTable, testGateway } from "./test-gateway.ts";

/** Signatures that are being computed, outside simulated time. The clock waits for them. */
const signing = new Set<Promise<unknown>>();

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  for (const name of ["sign", "importKey"] as const) holdClockFor(name);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function holdClockFor(name: "sign" | "importKey"): void {
  const compute = crypto.subtle[name].bind(crypto.subtle) as (...args: unknown[]) => Promise<unknown>;
  vi.spyOn(crypto.subtle, name).mockImplementation(((...args: unknown[]) => {
    const pending = compute(...args);
    signing.add(pending);
    void pending.finally(() => signing.delete(pending));
    return pending;
  }) as never);
}

/** Advances the clock. */
async function advance(ms: number): Promise<void> {
  while (signing.size > 0) await Promise.all(signing);
  await vi.advanceTimersByTimeAsync(ms);
}

const names = ["a", "b", "c", "d", "e"];

/** A task that responds after `ms` milliseconds. */
const after =
  (ms: number): Task =>
  ({ url }) =>
    new Promise((resolve) => setTimeout(resolve, ms, new Response(new URL(url).hostname)));

/** A service with these tasks. The first request goes to the first task. */
function mesh(tasks: readonly Task[], options: Parameters<typeof inProcessPlane>[2] = {}): InProcessPlane {
  const origins = tasks.map((_, index) => `http://${names[index]}`);
  const byOrigin = Object.fromEntries(tasks.map((task, index) => [`http://${names[index]}`, task]));
  const table = tableOf(1, serviceOf("my-web", 8080, origins));
  return inProcessPlane(table, byOrigin, { nowMs: () => Date.now(), headTimeoutMs: 30_000, ...options });
}

/** Advances the clock until a request has its response, and measures how long that took. */
async function timed(pending: Promise<Response>, withinMs = 60_000) {
  const startedMs = Date.now();
  let done: { status: number; text: string; tookMs: number } | undefined;
  void pending.then(async (response) => {
    const tookMs = Date.now() - startedMs;
    done = { status: response.status, text: await response.text(), tookMs };
  });
  for (let ms = 0; ms < withinMs && done === undefined; ms += 10) await advance(10);
  if (done === undefined) throw new Error(`no response within ${withinMs} ms`);
  return done;
}

/** Sends `count` GETs, one each `everyMs`. @returns their responses */
async function traffic({ send }: InProcessPlane, count: number, everyMs = 10): Promise<Response[]> {
  const sent: Promise<Response>[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    sent.push(send());
    await advance(everyMs);
  }
  await advance(40_000);
  return Promise.all(sent);
}

/** Measures how long a response takes, without advancing the clock. */
async function measured(pending: Promise<Response>) {
  const startedMs = Date.now();
  const response = await pending;
  return { status: response.status, text: await response.text(), tookMs: Date.now() - startedMs };
}

const targetsOf = (plane: InProcessPlane, path: string) =>
  plane.received.filter(({ url }) => new URL(url).pathname === path).map(({ url }) => new URL(url).hostname);

test("[Y37] a lone slow request is sent once, however many tasks are idle", async () => {
  const plane = mesh([after(3_000), after(1), after(1), after(1)]);
  expect(await timed(plane.send())).toMatchObject({ status: 200, text: "a" });
  expect(plane.origins()).toEqual(["http://a"]);
});

test("[Y37] a request that is slow at a task that responds to others is sent once", async () => {
  const byPath: Task = (request) => after(new URL(request.url).pathname === "/report" ? 3_000 : 1)(request);
  const plane = mesh([byPath, byPath, byPath]);
  const report = plane.send({ path: "/report" });
  for (const response of await traffic(plane, 100)) expect(response.status).toBe(200);
  expect(await timed(report)).toMatchObject({ status: 200, text: "a" });
  expect(targetsOf(plane, "/report")).toEqual(["a"]);
});

test("[Y37] two slow requests at one task are each sent once while no other task responds to a later one", async () => {
  const plane = mesh([after(3_000), after(3_000)]);
  const four = Array.from({ length: 4 }, () => plane.send());
  for (const pending of four) expect((await timed(pending)).status).toBe(200);
  expect(plane.origins()).toEqual(["http://a", "http://b", "http://a", "http://b"]);
});

test("[Y38] a safe request leaves a silent task: others wait there, and other tasks respond to later ones", async () => {
  const plane = mesh([frozen, after(1), after(1)]);
  const first = measured(plane.send({ path: "/first" }));
  const others = await traffic(plane, 30);
  expect(await first).toMatchObject({ status: 200, text: "b" });
  expect((await first).tookMs).toBeLessThanOrEqual(250);
  expect(targetsOf(plane, "/first")).toEqual(["a", "b"]);
  for (const response of others) expect(response.status).toBe(200);
});

/** Two tasks behind gateways. The first task responds after `ms`, and its gateway to checks as `onHello` does. */
function gatewayMesh(ms: number, onHello: Behavior) {
  const arrivals: Arrival[] = [];
  const dialGateway = testGateway((arrival) => arrivals.push(arrival), {
    [baseOf("node1")]: (attempt, answer, init) => {
      if (attempt.kind === "hello") return onHello(attempt, answer, init);
      if (attempt.kind === "reserve") return answer("ready");
      return new Promise((resolve) => setTimeout(() => resolve(answer("task")), ms));
    },
  });
  const plane = inProcessPlane(
    gatewayTable(1),
    {},
    { nowMs: () => Date.now(), headTimeoutMs: 30_000, dialGateway },
  );
  return {
    ...plane,
    kindsAt: (node: string) => arrivals.filter(({ base }) => base === baseOf(node)).map(({ kind }) => kind),
  };
}

test("[Y45] a safe request that waits alone leaves a task whose gateway does not answer a check for a second", async () => {
  const plane = gatewayMesh(60_000, () => new Promise(() => undefined));
  const { status, text, tookMs } = await timed(plane.send());
  expect([status, text]).toEqual([200, "task"]);
  expect(tookMs).toBeGreaterThanOrEqual(2_000);
  expect(tookMs).toBeLessThanOrEqual(5_000);
  expect([plane.kindsAt("node1"), plane.kindsAt("node2")]).toEqual([["repeat", "hello"], ["repeat"]]);
  // Its task is ejected, so that the next requests go elsewhere at once.
  await timed(Promise.all([plane.send(), plane.send()]).then(([response]) => response));
  expect([plane.kindsAt("node1").length, plane.kindsAt("node2").length]).toEqual([2, 3]);
});

test("[Y45] a gateway that refuses checks counts as silent", async () => {
  const plane = gatewayMesh(60_000, () => Promise.reject(new Error("refused")));
  expect((await timed(plane.send())).tookMs).toBeLessThanOrEqual(5_000);
});

test("[Y46] a slow request whose gateway answers the checks is sent once, with a check every two seconds at most", async () => {
  const plane = gatewayMesh(9_000, (_attempt, answer) => answer("ready"));
  expect(await timed(plane.send())).toMatchObject({ status: 200, text: "task" });
  expect(plane.kindsAt("node2")).toEqual([]);
  const checks = plane.kindsAt("node1").filter((kind) => kind === "hello").length;
  expect(checks).toBeGreaterThanOrEqual(2);
  expect(checks).toBeLessThanOrEqual(5);
});

test("[Y46] a POST that waits behind a silent gateway is not sent to another task", async () => {
  const plane = gatewayMesh(9_000, () => new Promise(() => undefined));
  expect((await timed(plane.send({ method: "POST" }))).status).toBe(200);
  expect(plane.kindsAt("node2").filter((kind) => kind !== "reserve")).toEqual([]);
});

test("[Y35] with hedging off no request is at two tasks at once, and one that fails is still retried", async () => {
  for (const options of [{ hedge: false }, {}]) {
    const table = tableOf(1, {
      ...serviceOf("my-web", 8080, ["http://a", "http://b"]),
      ...(options.hedge === undefined && { options: { hedge: false } }),
    });
    const tasks = { "http://a": frozen, "http://b": after(1) };
    const plane = inProcessPlane(table, tasks, {
      nowMs: () => Date.now(),
      headTimeoutMs: 9_000,
      tryTimeoutMs: 200,
      ...options,
    });
    const first = plane.send({ path: "/first" });
    const others = traffic(plane, 30);
    expect(await timed(first)).toMatchObject({ status: 504 });
    await advance(9_000);
    await others;
    expect(targetsOf(plane, "/first")).toEqual(["a"]);
    const failing = inProcessPlane(table, { "http://a": refused }, options);
    expect((await failing.send()).status).toBe(200);
    expect(failing.origins()).toEqual(["http://a", "http://b"]);
  }
});

test("[Y34] retries bound the attempts after the first one, by label before variable", async () => {
  const tasks = Object.fromEntries(names.map((name) => [`http://${name}`, refused]));
  const origins = names.map((name) => `http://${name}`);
  const attempts = async (options: { retries?: number }, variable = 3, method = "GET") => {
    const plane = inProcessPlane(tableOf(1, { ...serviceOf("my-web", 8080, origins), options }), tasks, {
      retries: variable,
    });
    const { status } = await plane.send({ method });
    return [status, plane.received.length];
  };
  expect(await attempts({ retries: 0 })).toEqual([502, 1]);
  expect(await attempts({ retries: 1 })).toEqual([502, 2]);
  expect(await attempts({}, 2)).toEqual([502, 3]);
  expect(await attempts({ retries: 3 }, 0)).toEqual([502, 4]);
  expect(await attempts({ retries: 3 }, 0, "POST")).toEqual([502, 1]);
});

test("[Y34] without retries a request is not sent again by a newer table either", async () => {
  const service = { ...serviceOf("my-web", 8080, ["http://a"]), options: { retries: 0 } };
  const plane = inProcessPlane(tableOf(1, service), { "http://a": refused });
  await plane.send({ method: "POST" });
  plane.state.table = tableOf(2, { ...serviceOf("my-web", 8080, ["http://b"]), options: { retries: 0 } });
  plane.state.nowMs += 500;
  expect((await plane.send()).status).toBe(502);
  expect(plane.origins()).toEqual(["http://a", "http://a"]);
});

test("[Y32] a POST waits for its task as long as that takes, unless a label or a variable sets a time", async () => {
  const slow = after(100_000);
  const plane = (options: object, variables: object = {}) =>
    inProcessPlane(
      tableOf(1, { ...serviceOf("my-web", 8080, ["http://a", "http://b"]), options }),
      { "http://a": slow, "http://b": slow },
      { nowMs: () => Date.now(), headTimeoutMs: null, ...variables },
    );
  expect(await timed(plane({}).send({ method: "POST" }), 200_000)).toMatchObject({ status: 200 });
  const labeled = await timed(plane({ headTimeoutMs: 2_000 }).send({ method: "POST" }));
  expect(labeled).toMatchObject({ status: 504, tookMs: 2_000 });
  expect(labeled.text).toContain("did not respond within 2 s");
  const variable = plane({}, { headTimeoutMs: 3_000 });
  expect(await timed(variable.send({ method: "POST" }))).toMatchObject({ status: 504, tookMs: 3_000 });
  const both = plane({ headTimeoutMs: 60_000 }, { headTimeoutMs: 3_000 });
  expect(await timed(both.send({ method: "POST" }), 90_000)).toMatchObject({ tookMs: 60_000 });
  // A request that may be repeated gets 504 after half a minute.
  const safe = measured(plane({}).send());
  await advance(40_000);
  expect(await safe).toMatchObject({ status: 504, tookMs: 30_000 });
});

test("[Y32] a POST at a frozen task waits until the task thaws, unless a time is set", async () => {
  const thawing: Task = (request) => after(request.method === "POST" ? 20_000 : 1_000_000)(request);
  const plane = mesh([thawing, after(1), after(1)], { headTimeoutMs: null });
  const posted = measured(plane.send({ method: "POST" }));
  await traffic(plane, 30);
  expect(await posted).toMatchObject({ status: 200, text: "a", tookMs: 20_000 });
});

test("[Y24] the WebSocket of a task that responds second is closed", async () => {
  const calls: unknown[] = [];
  const webSocket = {
    accept: () => calls.push("accept"),
    close: (code: number) => calls.push(code),
  };
  const late: Task = () =>
    new Promise((resolve) => setTimeout(resolve, 500, Object.assign(new Response(""), { webSocket })));
  const { send, origins } = mesh([late, after(1)], { tryTimeoutMs: 200 });
  const { text } = await timed(send({ headers: { connection: "Upgrade", upgrade: "websocket" } }));
  expect([text, origins()]).toEqual(["b", ["http://a", "http://b"]]);
  expect(calls).toEqual([]);
  await advance(500);
  expect(calls).toEqual(["accept", 1_001]);
});

test("[Y22] a POST at a frozen task fails with 504 and the reason, well before the head timeout", async () => {
  const plane = mesh([frozen, after(1), after(1)], { silenceMs: 3_000 });
  const posted = measured(plane.send({ method: "POST" }));
  await traffic(plane, 30);
  const { status, text, tookMs } = await posted;
  expect([status, JSON.parse(text).message]).toEqual([
    504,
    "my-web.1 has not responded to any request for a while; a POST is not retried",
  ]);
  expect(tookMs).toBeLessThan(3_600);
});

test("[Y22] a POST waits for a task that is slow but responds to other requests", async () => {
  const slow: Task = (request) => after(request.method === "POST" ? 20_000 : 2_000)(request);
  const { send } = mesh([slow, after(1), after(1)], { silenceMs: 3_000 });
  const posted = send({ method: "POST" });
  const others = Array.from({ length: 300 }, async (_, turn) => {
    await new Promise((resolve) => setTimeout(resolve, turn * 60));
    return send();
  });
  expect(await timed(posted)).toMatchObject({ status: 200, text: "a" });
  for (const response of await Promise.all(others)) expect(response.status).toBe(200);
});

test("[Y22] with SILENT_MS=0 only the head timeout ends a wait", async () => {
  const plane = mesh([frozen, after(1), after(1)], { silenceMs: 0, headTimeoutMs: 9_000 });
  const posted = measured(plane.send({ method: "POST" }));
  await traffic(plane, 30);
  expect((await posted).text).toContain("did not respond within 9 s");
});

test("[Y23] a PUT at a frozen task is retried on the next one", async () => {
  const plane = mesh([frozen, after(1), after(1)]);
  const put = measured(plane.send({ method: "PUT", path: "/put" }));
  await traffic(plane, 30);
  const { status, tookMs } = await put;
  expect([status, targetsOf(plane, "/put").length]).toEqual([200, 2]);
  expect(tookMs).toBeLessThan(3_600);
});

test("[Y24] a repeatable request goes to the next task after the per-try timeout", async () => {
  const { send, origins } = mesh([frozen, frozen, after(1)], { tryTimeoutMs: 500 });
  const { text, tookMs } = await timed(send({ method: "DELETE" }));
  expect([text, origins()]).toEqual(["c", ["http://a", "http://b", "http://c"]]);
  expect(tookMs).toBeLessThan(1_600);
});

test("[Y24] the per-try timeout abandons no attempt: without another task, the first one may still respond", async () => {
  const { send, origins } = mesh([after(2_000)], { tryTimeoutMs: 500 });
  expect(await timed(send({ method: "DELETE" }))).toMatchObject({ status: 200, text: "a" });
  expect(origins()).toEqual(["http://a"]);
  const post = mesh([after(2_000), after(1)], { tryTimeoutMs: 500 });
  expect(await timed(post.send({ method: "POST" }))).toMatchObject({ status: 200, text: "a" });
});
