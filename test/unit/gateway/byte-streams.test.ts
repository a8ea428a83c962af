// The end of a byte connection for Workers against the one for Node, over a real WebSocket.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { byteWindow, writeByteMessage } from "../../../src/gateway/byte-messages.ts";
import { type ByteEnd, byteEndOf, type MessageSocket } from "../../../src/gateway/byte-streams.ts";
import { type JoinedEndsOptions, joinEnds } from "../../../src/gateway/join-ends.ts";
import { ByteSocket, byteSocketOptions } from "../../../src/net/byte-socket.ts";
import { until } from "../../support/until.ts";

const servers = new Set<WebSocketServer>();

afterEach(() => {
  for (const server of servers) {
    for (const client of server.clients) client.terminate();
    server.close();
  }
  servers.clear();
});

/** The end of a Worker, and the WebSocket of its peer. */
async function open(): Promise<{ readonly end: ByteEnd; readonly ws: WebSocket }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...byteSocketOptions });
  servers.add(server);
  await once(server, "listening");
  const accepted = once(server, "connection");
  // As in a Worker, and not in a browser, it may close with any code.
  const own = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  own.binaryType = "arraybuffer";
  await once(own, "open");
  const [ws] = (await accepted) as [WebSocket];
  return { end: byteEndOf(own as MessageSocket), ws };
}

async function pair(): Promise<{ readonly end: ByteEnd; readonly peer: Duplex }> {
  const { end, ws } = await open();
  return { end, peer: new ByteSocket(ws).on("error", () => undefined) };
}

describe("the end of a Worker", () => {
  test("[O407] bytes pass both ways, and each direction ends alone", async () => {
    const { end, peer } = await pair();
    const sent = Buffer.alloc(3 * byteWindow + 1, "x");
    peer.end(sent);
    expect((await readAll(end)).equals(sent)).toBe(true);
    const writer = end.writable.getWriter();
    const answered = buffer(peer);
    await writer.write(sent);
    await writer.close();
    expect((await answered).equals(sent)).toBe(true);
  });

  test("[O407] a reset of either end is one at the other", async () => {
    const first = await pair();
    const reading = readAll(first.end);
    first.peer.write("part");
    first.peer.destroy();
    await expect(reading).rejects.toThrow("the connection was reset");
    const second = await pair();
    second.end.reset("enough");
    await until("the reset", () => second.peer.destroyed);
    expect(second.peer.readableEnded).toBe(false);
    await expect(second.end.writable.getWriter().write(Buffer.from("x"))).rejects.toThrow("enough");
  });

  test("[A451] a window of messages with one byte each is kept as few parts", async () => {
    let receive: (event: { readonly data: unknown }) => void = () => undefined;
    const { readable } = byteEndOf({
      send: () => undefined,
      close: () => undefined,
      addEventListener: (type: string, listener: (event: { readonly data: unknown }) => void) => {
        if (type === "message") receive = listener;
      },
    });
    for (let at = 0; at < byteWindow; at++) receive({ data: Uint8Array.of(0, at % 251).buffer });
    const reader = readable.getReader();
    const parts: Uint8Array[] = [];
    for (let bytes = 0; bytes < byteWindow; ) {
      const { value = new Uint8Array() } = await reader.read();
      parts.push(value);
      bytes += value.length;
    }
    expect(parts).toHaveLength(byteWindow / 4_096);
    expect(Buffer.concat(parts).every((byte, at) => byte === at % 251)).toBe(true);
  });

  test("[O407] a peer that does not read stops the sender at the window", async () => {
    const { end, ws } = await open();
    let received = 0;
    ws.on("message", (data: Buffer) => {
      received += data.length - 1;
    });
    const writing = end.writable.getWriter().write(Buffer.alloc(byteWindow + 1));
    await until("the window", () => received === byteWindow);
    ws.send(writeByteMessage({ type: "window", window: 1 }));
    await writing;
    await until("one byte more", () => received === byteWindow + 1);
  });

  test.each([
    ["an unknown message", Uint8Array.of(9, 1)],
    ["text", "hello"],
    ["a window that was not used", writeByteMessage({ type: "window", window: 1 })],
  ])("[O407] %s of the peer ends the WebSocket as an error of the protocol", async (_what, message) => {
    const { end, ws } = await open();
    const reading = readAll(end);
    const closed = once(ws, "close");
    ws.send(message);
    await expect(reading).rejects.toThrow("the other end sent");
    expect((await closed)[0]).toBe(1002);
  });
});

describe("two joined ends", () => {
  const joined = async (options: Partial<JoinedEndsOptions> = {}) => {
    const [client, target] = [await pair(), await pair()];
    const counts = { received: 0, sent: 0 };
    const over = joinEnds(client.end, target.end, {
      preface: null,
      idleMs: 0,
      nowMs: Date.now,
      onBytes: (direction, bytes) => {
        counts[direction] += bytes;
      },
      ...options,
    });
    return { client: client.peer, target: target.peer, counts, over };
  };

  test("[O407] the preface comes first and is not counted, and each direction ends alone", async () => {
    const { client, target, counts, over } = await joined({ preface: Buffer.from("PROXY ") });
    const asked = buffer(target);
    client.end("question");
    expect(String(await asked)).toBe("PROXY question");
    const answered = buffer(client);
    target.end("answer");
    expect(String(await answered)).toBe("answer");
    await over;
    expect(counts).toEqual({ received: 8, sent: 6 });
  });

  test("[O407] a reset of one resets the other", async () => {
    const { client, target, over } = await joined();
    target.destroy();
    await until("the reset", () => client.destroyed);
    expect(client.readableEnded).toBe(false);
    await over;
  });

  test("[O405] both are reset after the idle time without a byte", async () => {
    const { client, target, over } = await joined({ idleMs: 200 });
    await over;
    await until("both resets", () => client.destroyed && target.destroyed);
  });
});

async function readAll({ readable }: ByteEnd): Promise<Buffer> {
  return Buffer.from(await new Response(readable).arrayBuffer());
}
