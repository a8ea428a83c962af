// Slow and frozen tasks, in simulated time.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { frozen, type InProcessPlane, inProcessPlane, type Task } from "./in-process-plane.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

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
  for (let ms = 0; ms < withinMs && done === undefined; ms += 10) await vi.advanceTimersByTimeAsync(10);
  if (done === undefined) throw new Error(`no response within ${withinMs} ms`);
  return done;
}

test("[Y20] a safe request goes to a third task when the first two do not respond", async () => {
  const { send, origins } = mesh([frozen, frozen, after(1)]);
  const { text, tookMs } = await timed(send());
  expect([text, origins()]).toEqual(["c", ["http://a", "http://b", "http://c"]]);
  expect(tookMs).toBeLessThanOrEqual(220);
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
  await vi.advanceTimersByTimeAsync(500);
  expect(calls).toEqual(["accept", 1_001]);
});

test("[Y20] at most four tasks get the request, and the first response wins", async () => {
  const { send, origins } = mesh([after(5_000), frozen, frozen, frozen, after(1)]);
  const { text } = await timed(send());
  expect(text).toBe("a");
  expect(origins()).toEqual(["http://a", "http://b", "http://c", "http://d"]);
});

test("[Y22] a POST at a frozen task fails with 504 and the reason, well before the head timeout", async () => {
  const { send } = mesh([frozen, after(1), after(1)]);
  const posted = send({ method: "POST" });
  // Three requests find the task slow, and the third ejects it.
  for (let turn = 0; turn < 9; turn += 1) await timed(send());
  const { status, text, tookMs } = await timed(posted);
  expect([status, JSON.parse(text).message]).toEqual([
    504,
    "my-web.1 has not responded to any request for a while; a POST is not retried",
  ]);
  expect(tookMs).toBeLessThan(3_600);
});

test("[Y22] a POST waits for a task that is slow but responds to other requests", async () => {
  const slow: Task = (request) => after(request.method === "POST" ? 20_000 : 2_000)(request);
  const { send } = mesh([slow, after(1), after(1)]);
  const posted = send({ method: "POST" });
  const others = Array.from({ length: 300 }, async (_, turn) => {
    await new Promise((resolve) => setTimeout(resolve, turn * 60));
    return send();
  });
  expect(await timed(posted)).toMatchObject({ status: 200, text: "a" });
  for (const response of await Promise.all(others)) expect(response.status).toBe(200);
});

test("[Y22] with SILENT_MS=0 only the head timeout ends a wait", async () => {
  const { send } = mesh([frozen, after(1), after(1)], { frozenMs: null, headTimeoutMs: 9_000 });
  const posted = send({ method: "POST" });
  for (let turn = 0; turn < 9; turn += 1) await timed(send());
  expect((await timed(posted)).text).toContain("did not respond within 9 s");
});

test("[Y23] a PUT at a frozen task is retried on the next one", async () => {
  const { send, origins } = mesh([frozen, after(1), after(1)]);
  const put = send({ method: "PUT" });
  for (let turn = 0; turn < 9; turn += 1) await timed(send());
  const before = origins().length;
  const { status, tookMs } = await timed(put);
  expect([status, origins().length - before]).toEqual([200, 1]);
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
