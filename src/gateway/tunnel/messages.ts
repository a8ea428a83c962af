// WebSocket messages in a stream: a message is one or more data frames, and all but the last say that more
// follows.

import { type DataKind, maxDataBytes } from "./frames.ts";
import type { StreamData, TunnelStream } from "./stream.ts";
import type { BytePool } from "./windows.ts";

/** Memory for messages of all WebSockets of a tunnel that are incomplete or wait, bytes. */
export const messagePoolBytes = 32 * 1024 * 1024;

/** Largest message that crosses a tunnel, bytes. */
export const maxRelayedMessageBytes = 8 * 1024 * 1024;

/** A whole message. */
export type RelayedMessage = { readonly isText: boolean; readonly bytes: Uint8Array };

/**
 * Sends a message, as fast as the other side takes it.
 *
 * @param ready waits until the socket of the tunnel takes more
 * @throws StreamFailure if the stream has ended
 */
export async function sendMessage(
  stream: TunnelStream,
  { isText, bytes }: RelayedMessage,
  ready: () => Promise<void> = async () => {},
): Promise<void> {
  let at = 0;
  do {
    await ready();
    const part = bytes.subarray(at, at + Math.min(maxDataBytes, await stream.writable()));
    at += part.length;
    stream.write(part, { isText, hasMore: at < bytes.length });
  } while (at < bytes.length);
}

/** What a message that is kept takes besides its bytes. */
const keptMessageCost = 256;

/** Joins the data of a stream to messages. */
export class MessageAssembler {
  readonly #pool: BytePool;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #kind: DataKind | null = null;

  /** @param pool memory for the parts of messages that are not complete */
  constructor(pool: BytePool) {
    this.#pool = pool;
  }

  /**
   * The message that the data completes; null if more of it follows.
   *
   * @throws RangeError if the message is too large, or the data does not continue the one before
   */
  add({ bytes, kind }: StreamData): RelayedMessage | null {
    if (this.#kind !== null && kind.isText !== this.#kind.isText)
      throw new RangeError("a message that is text and binary");
    if (this.#kind === null && !kind.hasMore) return { isText: kind.isText, bytes };
    if (this.#bytes + bytes.length > maxRelayedMessageBytes || !this.#pool.take(bytes.length))
      throw new RangeError("a message that is too large");
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    this.#kind = kind;
    return kind.hasMore ? null : this.#takeMessage(kind.isText);
  }

  /** Gives the memory of an incomplete message back. */
  clear(): void {
    this.#pool.give(this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#kind = null;
  }

  #takeMessage(isText: boolean): RelayedMessage {
    const message = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      message.set(part, at);
      at += part.length;
    }
    this.clear();
    return { isText, bytes: message };
  }
}

/** Messages that wait until the other end takes them, from a WebSocket that cannot be paused. */
export class MessageQueue {
  readonly #pool: BytePool;
  readonly #messages: RelayedMessage[] = [];
  #bytes = 0;
  #hasEnded = false;
  #wake: () => void = () => {};

  /** @param pool memory for queued messages */
  constructor(pool: BytePool) {
    this.#pool = pool;
  }

  /** Adds a message; false if too many wait. */
  add(message: RelayedMessage): boolean {
    const cost = message.bytes.length + keptMessageCost;
    if (this.#hasEnded) return true;
    if (this.#bytes > maxRelayedMessageBytes || !this.#pool.take(cost)) return false;
    this.#bytes += cost;
    this.#messages.push(message);
    this.#wake();
    return true;
  }

  /** No message follows. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Drops the messages that wait. */
  clear(): void {
    this.end();
    for (const { bytes } of this.#messages.splice(0)) this.#give(bytes);
  }

  /** The next message; null at the end. */
  async next(): Promise<RelayedMessage | null> {
    while (this.#messages.length === 0 && !this.#hasEnded)
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    const message = this.#messages.shift();
    if (message === undefined) return null;
    this.#give(message.bytes);
    return message;
  }

  #give({ length }: Uint8Array): void {
    this.#bytes -= length + keptMessageCost;
    this.#pool.give(length + keptMessageCost);
  }
}
