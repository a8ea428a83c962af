// A side that stops reading stops the other side, so that the memory of the gateway stays flat.

import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { openGateway, rawClient, requestBytes, sign, taskAt, tcpTask } from "../support/gateway.ts";
import { until } from "../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const bodyBytes = 256 * 1024 * 1024;
const part = Buffer.alloc(1024 * 1024, "x");

/** Both sides' kernels buffer some MiB each; the rest would be in the gateway. */
const maxInFlight = 48 * 1024 * 1024;

/** Sends a body as fast as the socket takes it. `sent` is what the kernel has taken. */
function sendAll(socket: Socket): { readonly sent: () => number } {
  let left = bodyBytes;
  const start = socket.bytesWritten;
  const next = (): void => {
    while (left > 0) {
      left -= part.length;
      if (!socket.write(part)) {
        socket.once("drain", next);
        return;
      }
    }
  };
  next();
  return { sent: () => socket.bytesWritten - socket.writableLength - start };
}

/** Resolves with the number of bytes sent when it no longer grows. */
async function stalled(sent: () => number): Promise<number> {
  let last = -1;
  return until(
    "a stall",
    () => {
      const now = sent();
      const isStalled = now > 0 && now === last;
      last = now;
      return isStalled && now;
    },
    { everyMs: 500, withinMs: 30_000 },
  );
}

test.each(["once", "repeat"] as const)(
  "[O24] a router that stops reading the response of a %s stops its task, and can go on",
  { timeout: 60_000 },
  async (kind) => {
    let sending: ReturnType<typeof sendAll> | null = null;
    const task = await tcpTask((socket) => {
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
        sending = sendAll(socket);
      });
    });
    const { gateway } = await openGateway({ t1: taskAt(task.port) });
    stops.push(task.stop, () => gateway.close(0));
    const { socket } = rawClient(gateway.port, requestBytes(sign({ kind })));
    socket.removeAllListeners("data");
    socket.pause();
    expect(await stalled(() => sending?.sent() ?? 0)).toBeLessThan(maxInFlight);
    let received = 0;
    socket.on("data", (bytes) => {
      received += bytes.length;
    });
    socket.resume();
    await until("the rest", () => received > bodyBytes, { withinMs: 30_000 });
    socket.destroy();
  },
);

test.each(["once", "repeat", "tunnel"] as const)(
  "[O24] a task that stops reading the body of a %s stops its router, and can go on",
  { timeout: 60_000 },
  async (kind) => {
    let received = 0;
    const task = await tcpTask((socket) => {
      socket.pause();
      socket.on("data", (bytes) => {
        received += bytes.length;
      });
      socket.pause();
    });
    const { gateway } = await openGateway({ t1: taskAt(task.port) });
    stops.push(task.stop, () => gateway.close(0));
    const isTunnel = kind === "tunnel";
    const lines = isTunnel ? ["Connection: Upgrade", "Upgrade: waggle"] : [`Content-Length: ${bodyBytes}`];
    const { socket, text } = rawClient(
      gateway.port,
      requestBytes(sign({ kind, method: isTunnel ? "GET" : "POST" }), lines),
    );
    if (isTunnel) await until("the tunnel", () => text().includes(" 101 "));
    const { sent } = sendAll(socket);
    expect(await stalled(sent)).toBeLessThan(maxInFlight);
    task.connections[0]?.resume();
    await until("the rest", () => received >= bodyBytes, { withinMs: 30_000 });
    socket.destroy();
  },
);
