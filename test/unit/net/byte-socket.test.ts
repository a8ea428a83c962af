// The bytes of a TCP connection over a WebSocket at a gateway, and what a wrong sender gets.

import { once } from "node:events";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Gateway } from "../../../src/agent/gateway/gateway.ts";
import { byteWindow, maxMessageBytes, writeByteMessage } from "../../../src/gateway/byte-messages.ts";
import { ByteSocket, byteSocketOptions } from "../../../src/net/byte-socket.ts";
import { openGateway, sign, taskAt, tcpTask } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function gatewayTo(onConnection: (socket: Socket) => void): Promise<Gateway> {
  const task = await tcpTask(onConnection);
  const { gateway } = await openGateway({ t1: taskAt(task.port) });
  stops.push(task.stop, () => gateway.close(0));
  return gateway;
}

async function dial({ port }: Gateway): Promise<WebSocket> {
  const { lines } = sign({ kind: "tunnel", target: "*" });
  const headers = Object.fromEntries(lines.map((line) => line.split(": ", 2)));
  const ws = new WebSocket(`ws://127.0.0.1:${port}/`, { headers, ...byteSocketOptions });
  stops.push(() => ws.terminate());
  ws.on("error", () => undefined);
  await once(ws, "open");
  return ws;
}

test("[O228] bytes pass both ways over a WebSocket, and each direction ends alone", async () => {
  const gateway = await gatewayTo((socket) => {
    const parts: Buffer[] = [];
    socket.on("data", (part) => parts.push(part));
    socket.on("end", () => socket.end(Buffer.concat(parts).reverse()));
  });
  const client = new ByteSocket(await dial(gateway));
  const sent = Buffer.alloc(3 * byteWindow, "x");
  sent.write("begin");
  client.end(sent);
  const got = await buffer(client);
  expect(got.equals(Buffer.from(sent).reverse())).toBe(true);
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test("[O228] a reset of either side is one at the other, and the connection counts until then", async () => {
  const resets: (string | undefined)[] = [];
  const gateway = await gatewayTo((socket) => {
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resets.push(code));
    socket.on("data", (bytes) => {
      if (bytes.toString() === "reset me") socket.resetAndDestroy();
    });
  });
  const first = new ByteSocket(await dial(gateway));
  const second = new ByteSocket(await dial(gateway));
  first.on("error", () => undefined);
  second.on("error", () => undefined);
  expect(gateway.openRequests("t1")).toBe(2);
  first.write("reset me");
  await until("the reset", () => first.destroyed);
  expect(first.readableEnded).toBe(false);
  second.destroy();
  await until("a reset at the task", () => resets.includes("ECONNRESET"));
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test("[O229] a task that does not read stops the sender at the window", async () => {
  const gateway = await gatewayTo((socket) => void socket.pause());
  const client = new ByteSocket(await dial(gateway));
  client.on("error", () => undefined);
  let written = 0;
  const piece = Buffer.alloc(64 * 1024);
  const write = (): void => {
    client.write(piece, () => {
      written += piece.length;
      if (written < 64 * 1024 * 1024) write();
    });
  };
  write();
  // What the kernel keeps is several megabytes at most.
  let before = -1;
  await until(
    "a sender that waits",
    async () => {
      const isStill = written === before;
      before = written;
      return isStill;
    },
    { everyMs: 500 },
  );
  expect(written).toBeGreaterThanOrEqual(byteWindow);
  expect(written).toBeLessThan(32 * 1024 * 1024);
  client.destroy();
});

test.each([
  ["text", "hello", 1003],
  ["a message that is too large", new Uint8Array(maxMessageBytes + 2), 1009],
  ["an unknown message", Uint8Array.of(9, 1), 1002],
  ["an empty message", new Uint8Array(), 1002],
  ["a window that was not used", writeByteMessage({ type: "window", window: 1 }), 1002],
] as const)(
  "[O229] %s ends the WebSocket with the code that says why, and resets the task",
  async (_what, sent, code) => {
    const closed: string[] = [];
    const gateway = await gatewayTo(
      (socket) => void socket.resume().once("close", () => closed.push("closed")),
    );
    const ws = await dial(gateway);
    ws.send(sent);
    const [got] = await once(ws, "close");
    expect(got).toBe(code);
    await until("the task's end", () => closed.length === 1);
  },
);

test("[O229] a sender that ignores the window is cut off", async () => {
  const gateway = await gatewayTo((socket) => void socket.pause());
  const ws = await dial(gateway);
  let isClosed = false;
  ws.once("close", () => {
    isClosed = true;
  });
  const message = writeByteMessage({ type: "bytes", bytes: new Uint8Array(maxMessageBytes) });
  await until(
    "the end",
    () => {
      if (ws.readyState === ws.OPEN) ws.send(message);
      return isClosed;
    },
    { everyMs: 1 },
  );
});
