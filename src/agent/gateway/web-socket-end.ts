// The gateway's end of a WebSocket that carries the bytes of a TCP connection to a task.

import type { IncomingMessage } from "node:http";
// A named import does not see what src/package/older-node.ts adds.
import stream, { type Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { ByteSocket, byteSocketOptions } from "../../net/byte-socket.ts";
import { joinStreams } from "../../net/join-streams.ts";

const server = new WebSocketServer({ noServer: true, clientTracking: false, ...byteSocketOptions });

/** The accepted handshake, and the WebSocket's connection behind it. */
export type WebSocketEnd = { readonly accept: string; readonly connection: Duplex };

/**
 * Accepts a handshake, and joins the WebSocket with a task's connection.
 *
 * @param headers names and values in turn, with those of the handshake
 * @param onReady called once; null if it is not a handshake of RFC 6455 §4.2.1. The task's connection is not used then
 */
export function acceptWebSocket(
  headers: readonly string[],
  task: Duplex,
  onReady: (end: WebSocketEnd | null) => void,
): void {
  const [own, connection] = stream.duplexPair();
  own.once("close", () => connection.destroy());
  connection.once("close", () => own.destroy());
  connection.once("data", (bytes: Buffer) => {
    connection.pause();
    const accept = /^HTTP\/1\.1 101 .*\r\nsec-websocket-accept: (\S+)/is.exec(bytes.toString("latin1"))?.[1];
    onReady(accept === undefined ? null : { accept, connection });
  });
  server.handleUpgrade(requestOf(headers), own, Buffer.alloc(0), (ws) => {
    joinStreams(new ByteSocket(ws), task);
  });
}

/** The part of a request that a handshake consists of. */
function requestOf(headers: readonly string[]): IncomingMessage {
  const named: Record<string, string> = {};
  for (let at = 0; at + 1 < headers.length; at += 2)
    named[(headers[at] as string).toLowerCase()] = headers[at + 1] as string;
  return { method: "GET", url: "/", headers: named } as unknown as IncomingMessage;
}
