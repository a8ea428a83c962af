// Connections to a task that are kept between requests, over real sockets.

import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { attempt, openGateway, taskAt, tcpTask } from "../../../support/gateway.ts";
import { until } from "../../../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/** A task that answers each request with the number of its connection, behind a gateway. */
async function numberedTask(respond: (socket: Socket, connection: number) => void) {
  const task = await tcpTask((socket) => {
    const connection = task.connections.length;
    socket.on("data", () => respond(socket, connection));
  });
  const { gateway } = await openGateway({ t1: taskAt(task.port) });
  stops.push(() => gateway.close(0), task.stop);
  return { task, gateway };
}

/** Responses that name the connection that they came over. */
function named(connection: number, lines = ""): string {
  return `HTTP/1.1 200 OK\r\nX-Connection: ${connection}\r\n${lines}Content-Length: 0\r\n\r\n`;
}

/** True if the gateway has ended the connection. */
function isEnded(socket: Socket): boolean {
  return socket.readableEnded || socket.destroyed;
}

function connectionOf({ headers }: { readonly headers: readonly string[] }): string | undefined {
  return headers.find((line) => /^x-connection:/i.test(line))?.split(": ")[1];
}

test("[O300] requests at a time have a connection each, and the one used last is used next", async () => {
  const waiting: (() => void)[] = [];
  const { task, gateway } = await numberedTask((socket, connection) => {
    waiting.push(() => socket.write(named(connection)));
  });
  const first = attempt(gateway);
  await until("the first request", () => waiting.length === 1);
  const second = attempt(gateway);
  await until("the second request", () => waiting.length === 2);
  waiting[1]?.();
  expect(connectionOf(await second)).toBe("2");
  waiting[0]?.();
  expect(connectionOf(await first)).toBe("1");
  const third = attempt(gateway);
  await until("the third request", () => waiting.length === 3);
  waiting[2]?.();
  expect(connectionOf(await third)).toBe("1");
  expect(task.connections).toHaveLength(2);
});

test("[O300] an idle connection ends after 1.5 s", async () => {
  const { task, gateway } = await numberedTask((socket) => socket.write(ok));
  await attempt(gateway);
  const [socket] = task.connections as [Socket];
  const repliedMs = performance.now();
  await until("the end of the connection", () => isEnded(socket));
  expect(performance.now() - repliedMs).toBeGreaterThan(1_300);
  expect((await attempt(gateway)).outcome).toBe("task");
  expect(task.connections).toHaveLength(2);
});

test.each([
  ["timeout=1", 2],
  ["timeout=0", 2],
  ["max=7, timeout=1", 2],
  ["timeout=2", 1],
  ["timeout=600", 1],
  ["max=7", 1],
  ["timeout=soon", 1],
])("[O300] of two requests to a task with Keep-Alive: %s, %d have a connection", async (value, count) => {
  const { task, gateway } = await numberedTask((socket, connection) => {
    socket.write(named(connection, `keep-alive: ${value}\r\n`));
  });
  for (let sent = 0; sent < 2; sent += 1) expect((await attempt(gateway)).outcome).toBe("task");
  expect(task.connections).toHaveLength(count);
});

test.each(["Connection: close\r\n", "Connection: Close, X\r\n"])(
  "[O300] a connection that the task announces to close (%j) is not kept",
  async (line) => {
    const { task, gateway } = await numberedTask((socket, connection) => {
      socket.write(named(connection, line));
    });
    for (let sent = 0; sent < 2; sent += 1) expect((await attempt(gateway)).outcome).toBe("task");
    expect(task.connections).toHaveLength(2);
  },
);

test("[O301] what a task sends on an idle connection is no response to the next request", async () => {
  const { task, gateway } = await numberedTask((socket, connection) => socket.write(named(connection)));
  expect(connectionOf(await attempt(gateway))).toBe("1");
  const [socket] = task.connections as [Socket];
  socket.on("error", () => undefined);
  const sentMs = performance.now();
  socket.write(named(666));
  await until("the end of the connection", () => isEnded(socket));
  // Sooner than it would have ended idle.
  expect(performance.now() - sentMs).toBeLessThan(1_300);
  expect(connectionOf(await attempt(gateway))).toBe("2");
});

test("[O301] what a task sends right behind a response is no response to the next request", async () => {
  const { gateway } = await numberedTask((socket, connection) => {
    socket.on("error", () => undefined);
    socket.write(named(connection) + named(666));
  });
  for (const connection of ["1", "2", "3"]) expect(connectionOf(await attempt(gateway))).toBe(connection);
});

test("[O300] a connection that the task reset while it was idle is replaced", async () => {
  const { task, gateway } = await numberedTask((socket, connection) => socket.write(named(connection)));
  expect(connectionOf(await attempt(gateway))).toBe("1");
  const [socket] = task.connections as [Socket];
  socket.resetAndDestroy();
  await until("the second connection", async () => connectionOf(await attempt(gateway)) === "2");
});

test("[O300] at most 64 idle connections to a port are kept", async () => {
  const waiting: (() => void)[] = [];
  const { task, gateway } = await numberedTask((socket) => {
    waiting.push(() => socket.write(ok));
  });
  const replies = Array.from({ length: 70 }, () => attempt(gateway));
  await until("all requests", () => waiting.length === 70);
  for (const reply of waiting) reply();
  await Promise.all(replies);
  await until("the others end", () => task.connections.filter(isEnded).length >= 6);
  expect(task.connections.filter((socket) => !isEnded(socket))).toHaveLength(64);
});
