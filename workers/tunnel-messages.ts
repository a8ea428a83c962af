// A WebSocket in a node's tunnel object: its messages and its close cross between the router's WebSocket and
// a stream of the tunnel.

import { readClose, writeClose } from "../src/gateway/tunnel/close.ts";
import { MessageAssembler, MessageQueue, sendMessage } from "../src/gateway/tunnel/messages.ts";
import type { TunnelStream } from "../src/gateway/tunnel/stream.ts";
import type { BytePool } from "../src/gateway/tunnel/windows.ts";

/** Close codes of RFC 6455 §7.4.1. */
const messageTooBig = 1009;
const tryAgainLater = 1013;
const internalError = 1011;

/** The client's socket may have so much to send before the task has to wait, bytes. */
const maxUnsentToClientBytes = 1024 * 1024;
/** How often a full socket is looked at, milliseconds: it has no event. */
const unsentPollMs = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Relays until both ends have closed.
 *
 * @param client the router's WebSocket
 * @param pool memory for messages of all WebSockets of this tunnel
 */
export async function relayMessages(client: WebSocket, stream: TunnelStream, pool: BytePool): Promise<void> {
  const queue = new MessageQueue(pool);
  let closePayload: Uint8Array = new Uint8Array();
  client.binaryType = "arraybuffer";
  client.accept();
  client.addEventListener("message", ({ data }) => {
    const isText = typeof data === "string";
    const bytes = isText ? encoder.encode(data) : new Uint8Array(data as ArrayBuffer);
    if (queue.add({ isText, bytes })) return;
    close(client, tryAgainLater, "the task does not take messages as fast as they come");
    stream.reset("tooLarge");
  });
  client.addEventListener("close", ({ code, reason }) => {
    closePayload = writeClose(code, reason);
    queue.end();
  });
  client.addEventListener("error", () => stream.reset("canceled"));
  stream.onFailure(() => queue.clear());
  await Promise.all([
    sendQueued(queue, stream).then(() => stream.end(closePayload)),
    receiveMessages(client, stream, new MessageAssembler(pool)),
  ]);
}

/** Sends what the client sends, until it closes or the stream ends. */
async function sendQueued(queue: MessageQueue, stream: TunnelStream): Promise<void> {
  try {
    for (let message = await queue.next(); message !== null; message = await queue.next())
      await sendMessage(stream, message);
  } catch {
    // The stream has ended; the other direction closes the client's socket.
    queue.clear();
  }
}

async function receiveMessages(
  client: WebSocket,
  stream: TunnelStream,
  assembler: MessageAssembler,
): Promise<void> {
  try {
    for (let data = await stream.read(); data !== null; data = await stream.read()) {
      const message = assembler.add(data);
      if (message !== null) client.send(message.isText ? decoder.decode(message.bytes) : message.bytes);
      await sent(client);
      stream.passOn(data);
    }
    const { code, reason } = readClose(stream.closePayload);
    if (code === null) close(client);
    else close(client, code, reason);
  } catch (error) {
    const isTooLarge = error instanceof RangeError || stream.failure?.reason === "tooLarge";
    stream.reset(isTooLarge ? "tooLarge" : "canceled");
    if (isTooLarge) close(client, messageTooBig, "the message is too large for the node's tunnel");
    else close(client, internalError, "the connection to the task was lost");
  } finally {
    assembler.clear();
  }
}

/** Waits until the client's socket takes more. */
async function sent(client: WebSocket): Promise<void> {
  while (client.readyState === WebSocket.OPEN && client.bufferedAmount > maxUnsentToClientBytes)
    await scheduler.wait(unsentPollMs);
}

/** Closes a WebSocket that may have closed already. */
function close(client: WebSocket, code?: number, reason?: string): void {
  try {
    client.close(code, reason);
  } catch {
    // It has.
  }
}
