// What waits, for how long, and what ends it: the data plane on the real Workers runtime, with short times.

import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { afterAll, afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { TableService } from "../../src/domain/table/table.ts";
import { type Backend, http, silent, webSocketEcho } from "../support/backends.ts";
import { serviceOf, startPlane, type TestPlane, tableOf } from "../support/dataplane.ts";
import { until } from "../support/until.ts";

const port = 8080;
const times = { HEAD_TIMEOUT_MS: "1500", SILENT_MS: "300" };
/** Longer than every time there is. */
const longMs = 3_000;

const parts: { readonly stop: () => Promise<void> }[] = [];

afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop();
});
afterAll(() => expect(parts).toEqual([]));

async function use<T extends { readonly stop: () => Promise<void> }>(starting: Promise<T>): Promise<T> {
  const part = await starting;
  parts.unshift(part);
  return part;
}

/** A data plane in front of these tasks; the first request goes to any of them. */
function planeOf(
  tasks: readonly Backend[],
  variables: Readonly<Record<string, string>> = {},
  more: Partial<TableService> = {},
): Promise<TestPlane> {
  const origins = tasks.map(({ origin }) => origin);
  return use(startPlane(tableOf(1, serviceOf("my-web", port, origins, more)), { ...times, ...variables }));
}

type Answer = { readonly status: number; readonly text: string; readonly tookMs: number };

async function ask(plane: TestPlane, method = "GET", path = "/"): Promise<Answer> {
  const startedMs = performance.now();
  const response = await fetch(plane.origin + path, { method, headers: plane.entry({ port }) });
  const text = await response.text();
  return { status: response.status, text, tookMs: performance.now() - startedMs };
}

function named(name: string): Promise<Backend> {
  return use(http((request, response) => void request.resume().on("end", () => response.end(name))));
}

/** Sends POSTs until one has come to the task, whose count of them tells. */
async function postTo(
  plane: TestPlane,
  task: { readonly posts: () => number },
  path = "/",
): Promise<Promise<Answer>[]> {
  const posted: Promise<Answer>[] = [];
  while (task.posts() === 0) {
    posted.push(ask(plane, "POST", path));
    await Promise.race([posted.at(-1), until("it to come to the task", () => task.posts() > 0)]);
  }
  return posted;
}

/** Counts the POSTs that come, and answers nothing, or all of them after so long. */
async function counting(delayMs: number | null): Promise<Backend & { readonly posts: () => number }> {
  let posts = 0;
  const task = await use(
    http((request, response) => {
      if (request.method === "POST") posts += 1;
      request.resume();
      const ms = request.method === "POST" ? Number(request.url?.slice(1)) : delayMs;
      if (delayMs !== null) setTimeout(() => response.end("counted"), ms ?? 0);
    }),
  );
  return { ...task, posts: () => posts };
}

test("[Y22] a POST at a frozen task is 504 with the reason", async () => {
  const frozen = await counting(null);
  const plane = await planeOf([frozen, await named("b"), await named("c")], { HEAD_TIMEOUT_MS: "20000" });
  const [posted] = (await postTo(plane, frozen)).slice(-1);
  // Safe requests find it slow; the first of them stays as the witness.
  for (let turn = 0; turn < 9; turn += 1) expect((await ask(plane)).status).toBe(200);
  const { status, text, tookMs } = (await posted) as Answer;
  expect([status, JSON.parse(text).message]).toEqual([
    504,
    "my-web.1 has answered nothing at all for a while and seems frozen; a POST is not sent twice",
  ]);
  expect(tookMs).toBeLessThan(10_000);
});

test("[Y22] a POST at a task that is slow and alive is waited for", async () => {
  const slow = await counting(200);
  const plane = await planeOf([slow, await named("b"), await named("c")], { HEAD_TIMEOUT_MS: "20000" });
  const posted = await postTo(plane, slow, "/2500");
  for (let turn = 0; turn < 12; turn += 1) expect((await ask(plane)).status).toBe(200);
  for (const answer of await Promise.all(posted)) expect(answer.status).toBe(200);
});

test("[Y24] a DELETE is asked of the next task after the time of one try", async () => {
  const plane = await planeOf([await use(silent()), await named("b")], { TRY_TIMEOUT_MS: "300" });
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await ask(plane, "DELETE")).toMatchObject({ status: 200, text: "b" });
  }
});

test("[Y25] a variable that cannot be read fails requests with 500, and the runtime lives on", async () => {
  const plane = await planeOf([await named("a")], { REPLAY_BYTES: "64KiB" });
  for (let turn = 0; turn < 2; turn += 1) {
    expect(await ask(plane)).toMatchObject({ status: 500, text: expect.stringContaining("the mesh failed") });
    expect((await fetch(plane.hostOrigin)).status).toBe(500);
  }
});

test("[Y27] a 503 of the path's goes on to another task, and one of the application's is its answer", async () => {
  const path = await use(http((_request, response) => void response.writeHead(503).end("tunnel gone")));
  const own = await use(
    http((_request, response) => void response.writeHead(503, { "x-task": "1" }).end("busy")),
  );
  const plane = await planeOf([path, own], {}, { options: { marker: "x-task" } });
  for (let turn = 0; turn < 4; turn += 1)
    expect(await ask(plane)).toMatchObject({ status: 503, text: "busy" });
});

test("[Q20] no time-out applies to a stream of events or a WebSocket that is idle", async () => {
  let send = (): void => undefined;
  const events = await use(
    http((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      send = () => void response.write("data: 2\n\n");
    }),
  );
  const echo = await use(webSocketEcho());
  const plane = await planeOf([events, await named("b")], { TRY_TIMEOUT_MS: "200" });
  const sockets = await planeOf([echo], { TRY_TIMEOUT_MS: "200" });
  const socket = new WebSocket(sockets.origin.replace("http", "ws"), { headers: sockets.entry({ port }) });
  const opened = new Promise((resolve) => socket.once("open", resolve));
  const { response, read } = await stream(plane);
  await until("the first event", () => read() === "data: 1\n\n");
  await opened;
  await new Promise((resolve) => setTimeout(resolve, longMs));
  send();
  await until("the second event", () => read() === "data: 1\n\ndata: 2\n\n");
  response.destroy();
  const echoed = new Promise((resolve) => socket.once("message", (data) => resolve(data.toString())));
  socket.send("still there?");
  expect(await echoed).toBe("still there?");
  socket.terminate();
});

/** The stream of events, from the task that has one. */
async function stream(plane: TestPlane): Promise<{ response: IncomingMessage; read: () => string }> {
  for (;;) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = httpRequest(plane.origin, { headers: plane.entry({ port }), agent: false }, resolve);
      asked.on("error", reject).end();
    });
    let text = "";
    response.on("data", (chunk) => {
      text += chunk;
    });
    response.on("error", () => undefined);
    if (response.headers["content-type"] === "text/event-stream") return { response, read: () => text };
    response.resume();
  }
}

test("[Q21] a task that another one was faster than learns that nobody waits, but for the one witness", async () => {
  const open = new Set<ServerResponse>();
  let came = 0;
  const frozen = await use(
    http((_request, response) => {
      came += 1;
      open.add(response);
      response.once("close", () => open.delete(response));
    }),
  );
  const plane = await planeOf([frozen, await named("b")], { SILENT_MS: "0" });
  while (came < 3) expect((await ask(plane)).status).toBe(200);
  await until("all but one to be let go", () => open.size === 1);
});
