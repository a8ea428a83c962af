// Timeouts of the data plane, on the real Workers runtime and with short times.

import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import type { TableService } from "../../src/domain/table/table.ts";
import { type Backend, http, silent, webSocketEcho } from "../support/backends.ts";
import { serviceOf, startPlane, type TestPlane, tableOf } from "../support/dataplane.ts";
import { startedParts } from "../support/started-parts.ts";
import { until } from "../support/until.ts";

const port = 8080;
const timeouts = { HEAD_TIMEOUT_MS: "1500", SILENT_MS: "300" };

const use = startedParts();

/** A data plane with these tasks. */
function planeOf(
  tasks: readonly Backend[],
  variables: Readonly<Record<string, string>> = {},
  fields: Partial<TableService> = {},
): Promise<TestPlane> {
  const origins = tasks.map(({ origin }) => origin);
  const table = tableOf(1, serviceOf("my-web", port, origins, fields));
  return use(startPlane(table, { ...timeouts, ...variables }));
}

type PlaneResponse = { readonly status: number; readonly text: string; readonly elapsedMs: number };

async function send(plane: TestPlane, method = "GET", path = "/"): Promise<PlaneResponse> {
  const startMs = performance.now();
  const response = await fetch(plane.origin + path, { method, headers: plane.entry({ port }) });
  const text = await response.text();
  return { status: response.status, text, elapsedMs: performance.now() - startMs };
}

/** A task that responds with this name. */
function named(name: string): Promise<Backend> {
  return use(http((request, response) => void request.resume().on("end", () => response.end(name))));
}

/** Sends POSTs until one has reached the task; returns all responses. */
async function postTo(
  plane: TestPlane,
  task: { readonly posts: () => number },
  path = "/",
): Promise<Promise<PlaneResponse>[]> {
  const responses: Promise<PlaneResponse>[] = [];
  while (task.posts() === 0) {
    responses.push(send(plane, "POST", path));
    await Promise.race([responses.at(-1), until("a POST at the task", () => task.posts() > 0)]);
  }
  return responses;
}

/**
 * A task that counts POSTs.
 *
 * @param delayMs time to the response of other requests; that of a POST is its path. null: never responds
 */
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

test("[Y22] a POST to a frozen task is 504 with the reason", async () => {
  const frozen = await counting(null);
  const plane = await planeOf([frozen, await named("b"), await named("c")], { HEAD_TIMEOUT_MS: "20000" });
  const [posted] = (await postTo(plane, frozen)).slice(-1);
  // Safe requests find the task slow; the first of them stays open as the watched attempt.
  for (let turn = 0; turn < 9; turn += 1) expect((await send(plane)).status).toBe(200);
  const { status, text, elapsedMs } = (await posted) as PlaneResponse;
  expect([status, JSON.parse(text).message]).toEqual([
    504,
    "my-web.1 has not responded to any request for a while; a POST is not retried",
  ]);
  expect(elapsedMs).toBeLessThan(10_000);
});

test("[Y22] a POST to a slow task that is not frozen gets its response", async () => {
  const slow = await counting(200);
  const plane = await planeOf([slow, await named("b"), await named("c")], { HEAD_TIMEOUT_MS: "20000" });
  const posted = await postTo(plane, slow, "/2500");
  for (let turn = 0; turn < 12; turn += 1) expect((await send(plane)).status).toBe(200);
  for (const { status } of await Promise.all(posted)) expect(status).toBe(200);
});

test("[Y24] a DELETE is sent to the next task after the timeout of one attempt", async () => {
  const plane = await planeOf([await use(silent()), await named("b")], { TRY_TIMEOUT_MS: "300" });
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await send(plane, "DELETE")).toMatchObject({ status: 200, text: "b" });
  }
});

test("[Y25] an unreadable variable fails requests with 500, and the runtime keeps running", async () => {
  const plane = await planeOf([await named("a")], { REPLAY_BYTES: "64KiB" });
  for (let turn = 0; turn < 2; turn += 1) {
    expect(await send(plane)).toMatchObject({
      status: 500,
      text: expect.stringContaining("the mesh failed"),
    });
    expect((await fetch(plane.hostOrigin)).status).toBe(500);
  }
});

test("[Y27] a 503 of a proxy on the path is retried on another task, and one of the application is not", async () => {
  const proxy = await use(http((_request, response) => void response.writeHead(503).end("tunnel gone")));
  const application = await use(
    http((_request, response) => void response.writeHead(503, { "x-task": "1" }).end("busy")),
  );
  const plane = await planeOf([proxy, application], {}, { options: { marker: "x-task" } });
  for (let turn = 0; turn < 4; turn += 1)
    expect(await send(plane)).toMatchObject({ status: 503, text: "busy" });
});

test("[Q20] no timeout applies to an idle event stream or WebSocket", async () => {
  let sendSecond = (): void => undefined;
  const events = await use(
    http((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      sendSecond = () => void response.write("data: 2\n\n");
    }),
  );
  const echo = await use(webSocketEcho());
  const plane = await planeOf([events, await named("b")], { TRY_TIMEOUT_MS: "200" });
  const sockets = await planeOf([echo], { TRY_TIMEOUT_MS: "200" });
  const silentPlane = await planeOf([await use(silent())], { TRY_TIMEOUT_MS: "200" });
  const socket = new WebSocket(sockets.origin.replace("http", "ws"), { headers: sockets.entry({ port }) });
  const opened = new Promise((resolve) => socket.once("open", resolve));
  const { response, read } = await stream(plane);
  await until("the first event", () => read() === "data: 1\n\n");
  await opened;
  // A request without a response ends by the longest timeout; the stream and the socket outlast it.
  const { status, elapsedMs } = await send(silentPlane);
  expect(status).toBe(504);
  expect(elapsedMs).toBeGreaterThanOrEqual(Number(timeouts.HEAD_TIMEOUT_MS));
  sendSecond();
  await until("the second event", () => read() === "data: 1\n\ndata: 2\n\n");
  response.destroy();
  const echoed = new Promise((resolve) => socket.once("message", (data) => resolve(data.toString())));
  socket.send("still there?");
  expect(await echoed).toBe("still there?");
  socket.terminate();
});

/** Opens the event stream, at the task that has one. */
async function stream(plane: TestPlane): Promise<{ response: IncomingMessage; read: () => string }> {
  for (;;) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpRequest(plane.origin, { headers: plane.entry({ port }), agent: false }, resolve);
      outgoing.on("error", reject).end();
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

test("[Q21] requests to which another task responded first are canceled, except for the watched attempt", async () => {
  const open = new Set<ServerResponse>();
  let requests = 0;
  const frozen = await use(
    http((_request, response) => {
      requests += 1;
      open.add(response);
      response.once("close", () => open.delete(response));
    }),
  );
  const variables = { SILENT_MS: "0", HEAD_TIMEOUT_MS: "20000" };
  const plane = await planeOf([frozen, await named("b")], variables);
  // Requests that wait at the silent task leave it once others wait there, too.
  const sent: Promise<PlaneResponse>[] = [];
  while (requests < 3) {
    sent.push(send(plane));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  sent.push(send(plane), send(plane));
  for (const { status } of await Promise.all(sent)) expect(status).toBe(200);
  await until("all requests but one to be aborted", () => open.size === 1);
});
