// What the runtime sends again by itself, counted at the server.

import { createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { TableOptions } from "../../src/domain/table/table.ts";
import { operatorToken, serviceOf, startPlane, type TestPlane, tableOf } from "../support/dataplane.ts";

const port = 8080;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A server that breaks each connection at its second request, and counts the requests that it got. */
async function breaking(): Promise<{ readonly origin: string; readonly methods: string[] }> {
  const methods: string[] = [];
  const server: Server = createServer((socket) => {
    let requests = 0;
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const method = bytes.toString("latin1").split(" ")[0] ?? "";
      if (!/^[A-Z]+$/.test(method)) return;
      methods.push(method);
      requests += 1;
      if (requests > 1) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { origin: `http://127.0.0.1:${(server.address() as { port: number }).port}`, methods };
}

/** Sends a request. @returns its status, and how often the mesh sent it */
async function send(plane: TestPlane, method: string, body?: string) {
  const headers = { ...plane.entry({ port }), "x-waggle-debug": "1", "x-waggle-token": operatorToken };
  const response = await fetch(plane.origin, { method, headers, ...(body !== undefined && { body }) });
  await response.text();
  return { status: response.status, attempts: Number(response.headers.get("x-waggle-attempts")) };
}

/** A data plane with one such server, to which it keeps one connection that will break. */
async function meshWithKeptConnection(options: TableOptions = {}) {
  const server = await breaking();
  const plane = await startPlane(tableOf(1, serviceOf("my-web", port, [server.origin], { options })));
  stops.unshift(() => plane.stop());
  expect((await send(plane, "GET")).status).toBe(200);
  server.methods.length = 0;
  return { plane, ...server };
}

test("[X199] a server that ends idle connections after 20 ms loses no GET", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("timeout", () => socket.destroy());
    socket.on("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      socket.setTimeout(20);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => new Promise((resolve) => server.close(() => resolve())));
  const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const plane = await startPlane(tableOf(1, serviceOf("my-web", port, [origin])));
  stops.unshift(() => plane.stop());
  const statuses: number[] = [];
  for (let count = 0; count < 40; count += 1) {
    statuses.push((await send(plane, "GET")).status);
    // At times shortly before the end of the connection, at it, and after it.
    await new Promise((resolve) => setTimeout(resolve, 10 + (count % 20)));
  }
  expect(new Set(statuses)).toEqual(new Set([200]));
});

test.each(["POST", "PATCH"])(
  "[Y42] a %s is at the server as often as the mesh says: once",
  async (method) => {
    for (const body of [undefined, "x"]) {
      const { plane, methods } = await meshWithKeptConnection();
      expect(await send(plane, method, body)).toEqual({ status: 502, attempts: 1 });
      expect(methods).toEqual([method]);
    }
  },
);

test.each(["PUT", "DELETE"])("[Y42] a %s with a body is not sent again by the runtime", async (method) => {
  const { plane, methods } = await meshWithKeptConnection();
  expect(await send(plane, method, "x")).toEqual({ status: 502, attempts: 1 });
  expect(methods).toEqual([method]);
});

test.each(["GET", "OPTIONS", "DELETE"])(
  "[Y42] a %s without a body is sent again by the runtime on a fresh connection, as one attempt of the mesh",
  async (method) => {
    const { plane, methods } = await meshWithKeptConnection();
    expect(await send(plane, method)).toEqual({ status: 200, attempts: 1 });
    expect(methods).toEqual([method, method]);
  },
);

test.each(["OPTIONS", "PUT", "DELETE"])(
  "[Y42] without retries a %s without a body is at the server once",
  async (method) => {
    const { plane, methods } = await meshWithKeptConnection({ retries: 0 });
    expect(await send(plane, method)).toEqual({ status: 502, attempts: 1 });
    expect(methods).toEqual([method]);
  },
);
