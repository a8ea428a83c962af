// Requests that tasks keep waiting, in simulated time.

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

/** Answers after so long. */
const after =
  (ms: number): Task =>
  ({ url }) =>
    new Promise((resolve) => setTimeout(resolve, ms, new Response(new URL(url).hostname)));

/** A service of these tasks; the first request meets the first one. */
function mesh(tasks: readonly Task[], options: Parameters<typeof inProcessPlane>[2] = {}): InProcessPlane {
  const origins = tasks.map((_, index) => `http://${names[index]}`);
  const byOrigin = Object.fromEntries(tasks.map((task, index) => [`http://${names[index]}`, task]));
  const table = tableOf(1, serviceOf("my-web", 8080, origins));
  return inProcessPlane(table, byOrigin, { nowMs: () => Date.now(), headTimeoutMs: 30_000, ...options });
}

/** What came of a request, and how long it took. */
async function timed(answer: Promise<Response>, withinMs = 60_000) {
  const startedMs = Date.now();
  let done: { status: number; text: string; tookMs: number } | undefined;
  void answer.then(async (response) => {
    const tookMs = Date.now() - startedMs;
    done = { status: response.status, text: await response.text(), tookMs };
  });
  for (let ms = 0; ms < withinMs && done === undefined; ms += 10) await vi.advanceTimersByTimeAsync(10);
  if (done === undefined) throw new Error(`no answer within ${withinMs} ms`);
  return done;
}

test("[Y20] a safe request that a second task keeps waiting as well is asked of a third", async () => {
  const { send, origins } = mesh([frozen, frozen, after(1)]);
  const { text, tookMs } = await timed(send());
  expect([text, origins()]).toEqual(["c", ["http://a", "http://b", "http://c"]]);
  expect(tookMs).toBeLessThanOrEqual(220);
});

test("[Y24] a task that answers an upgrade after another one has its WebSocket closed", async () => {
  const done: unknown[] = [];
  const webSocket = {
    accept: () => done.push("accept"),
    close: (code: number) => done.push(code),
  };
  const late: Task = () =>
    new Promise((resolve) => setTimeout(resolve, 500, Object.assign(new Response(""), { webSocket })));
  const { send, origins } = mesh([late, after(1)], { tryTimeoutMs: 200 });
  const { text } = await timed(send({ headers: { connection: "Upgrade", upgrade: "websocket" } }));
  expect([text, origins()]).toEqual(["b", ["http://a", "http://b"]]);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(500);
  expect(done).toEqual(["accept", 1_001]);
});

test("[Y20] no more than four tasks are asked, and the first of them to answer is heard", async () => {
  const { send, origins } = mesh([after(5_000), frozen, frozen, frozen, after(1)]);
  const { text } = await timed(send());
  expect(text).toBe("a");
  expect(origins()).toEqual(["http://a", "http://b", "http://c", "http://d"]);
});

test("[Y22] a POST that waits at a task known to be frozen is 504 with the reason, long before the time is over", async () => {
  const { send } = mesh([frozen, after(1), after(1)]);
  const posted = send({ method: "POST" });
  // Two more find the task slow; the third puts it out.
  for (let turn = 0; turn < 9; turn += 1) await timed(send());
  const { status, text, tookMs } = await timed(posted);
  expect([status, JSON.parse(text).message]).toEqual([
    504,
    "my-web.1 has answered nothing at all for a while and seems frozen; a POST is not sent twice",
  ]);
  expect(tookMs).toBeLessThan(3_600);
});

test("[Y22] a POST at a task that is slow and alive is waited for, however slow", async () => {
  const slow: Task = (request) => after(request.method === "POST" ? 20_000 : 2_000)(request);
  const { send } = mesh([slow, after(1), after(1)]);
  const posted = send({ method: "POST" });
  const others = Array.from({ length: 300 }, async (_, turn) => {
    await new Promise((resolve) => setTimeout(resolve, turn * 60));
    return send();
  });
  expect(await timed(posted)).toMatchObject({ status: 200, text: "a" });
  for (const answer of await Promise.all(others)) expect(answer.status).toBe(200);
});

test("[Y22] where SILENT_MS is 0, nothing but the end of the time ends a wait", async () => {
  const { send } = mesh([frozen, after(1), after(1)], { frozenMs: null, headTimeoutMs: 9_000 });
  const posted = send({ method: "POST" });
  for (let turn = 0; turn < 9; turn += 1) await timed(send());
  expect((await timed(posted)).text).toContain("did not answer within 9 s");
});

test("[Y23] a PUT at a task known to be frozen goes on to the next one", async () => {
  const { send, origins } = mesh([frozen, after(1), after(1)]);
  const put = send({ method: "PUT" });
  for (let turn = 0; turn < 9; turn += 1) await timed(send());
  const before = origins().length;
  const { status, tookMs } = await timed(put);
  expect([status, origins().length - before]).toEqual([200, 1]);
  expect(tookMs).toBeLessThan(3_600);
});

test("[Y24] a request that may be repeated is asked of the next task after the time of one try", async () => {
  const { send, origins } = mesh([frozen, frozen, after(1)], { tryTimeoutMs: 500 });
  const { text, tookMs } = await timed(send({ method: "DELETE" }));
  expect([text, origins()]).toEqual(["c", ["http://a", "http://b", "http://c"]]);
  expect(tookMs).toBeLessThan(1_600);
});

test("[Y24] the time of one try gives up no answer: where nobody else can be asked, the first is waited for", async () => {
  const { send, origins } = mesh([after(2_000)], { tryTimeoutMs: 500 });
  expect(await timed(send({ method: "DELETE" }))).toMatchObject({ status: 200, text: "a" });
  expect(origins()).toEqual(["http://a"]);
  const post = mesh([after(2_000), after(1)], { tryTimeoutMs: 500 });
  expect(await timed(post.send({ method: "POST" }))).toMatchObject({ status: 200, text: "a" });
});
