// One end of a TCP connection that crosses a WebSocket: a stream of bytes for the program at this end.

import { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { byteWindow, maxMessageBytes, readByteMessage, writeByteMessage } from "../gateway/byte-messages.ts";

/** Options of each WebSocket that carries bytes. A larger message closes it with 1009. */
export const byteSocketOptions = { perMessageDeflate: false, maxPayload: 1 + maxMessageBytes } as const;

/** A connection without an answer to a ping for this long is dead. Proxies end a silent one after 100 s. */
const pingMs = 30_000;

/** Close codes of RFC 6455 §7.4.1. */
const closeNormal = 1000;
const closeProtocolError = 1002;
const closeUnsupportedData = 1003;
const closeGoingAway = 1001;

/** Further bytes are granted in steps of this size, so that small messages cost no message more. */
const grantStepBytes = byteWindow / 4;

/** @see src/gateway/byte-messages.ts */
export class ByteSocket extends Duplex {
  readonly #ws: WebSocket;
  readonly #pings: NodeJS.Timeout;
  #isAnswered = true;
  /** Bytes that may be sent. */
  #credit = byteWindow;
  #onCredit: (() => void) | null = null;
  /** Bytes that the other end may send, and that arrived since the last grant. */
  #granted = byteWindow;
  #taken = 0;
  #hasSentEnd = false;
  #hasReceivedEnd = false;

  /** @param ws open, and used by nothing else */
  constructor(ws: WebSocket) {
    super({ allowHalfOpen: true });
    this.#ws = ws;
    ws.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    ws.on("pong", () => {
      this.#isAnswered = true;
    });
    ws.on("error", () => undefined);
    ws.once("close", () => this.#closed());
    this.#pings = setInterval(() => this.#ping(), pingMs);
  }

  override _read(): void {
    if (this.#taken < grantStepBytes || this.#hasReceivedEnd) return;
    this.#granted += this.#taken;
    this.#send(writeByteMessage({ type: "window", window: this.#taken }));
    this.#taken = 0;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#credit === 0) {
      this.#onCredit = () => this._write(chunk, _encoding, done);
      return;
    }
    const part = chunk.subarray(0, Math.min(this.#credit, maxMessageBytes));
    const rest = chunk.subarray(part.length);
    this.#credit -= part.length;
    this.#send(writeByteMessage({ type: "bytes", bytes: part }), (error) => {
      // The socket reports its success with null.
      if (error || rest.length === 0) done(error);
      else this._write(rest, _encoding, done);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#hasSentEnd = true;
    this.#send(writeByteMessage({ type: "end" }), done);
    this.#closeIfEnded();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#pings);
    this.#onCredit = null;
    if (this.#ws.readyState === this.#ws.OPEN) {
      const isOver = this.#hasSentEnd && this.#hasReceivedEnd;
      this.#ws.close(isOver ? closeNormal : closeGoingAway);
    }
    done(error);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? readByteMessage(data) : null;
    if (message === null) {
      this.#violated(
        isBinary ? closeProtocolError : closeUnsupportedData,
        "a message that is not one of bytes",
      );
    } else if (message.type === "window") {
      this.#credit += message.window;
      if (this.#credit > byteWindow) this.#violated(closeProtocolError, "a window that was not used");
      const resume = this.#onCredit;
      this.#onCredit = null;
      resume?.();
    } else if (this.#hasReceivedEnd) {
      this.#violated(closeProtocolError, "bytes behind the end");
    } else if (message.type === "end") {
      this.#hasReceivedEnd = true;
      this.push(null);
      this.#closeIfEnded();
    } else {
      this.#granted -= message.bytes.length;
      this.#taken += message.bytes.length;
      if (this.#granted < 0) this.#violated(closeProtocolError, "more bytes than it may");
      else this.push(message.bytes);
    }
  }

  #violated(code: number, what: string): void {
    this.#ws.close(code, `the other end sent ${what}`);
    this.destroy(new Error(`the other end of the connection sent ${what}`));
  }

  #closeIfEnded(): void {
    if (this.#hasSentEnd && this.#hasReceivedEnd) this.#ws.close(closeNormal);
  }

  #closed(): void {
    clearInterval(this.#pings);
    if (this.#hasSentEnd && this.#hasReceivedEnd) return;
    this.destroy(new Error("the connection was reset"));
  }

  #ping(): void {
    if (!this.#isAnswered) {
      this.#ws.terminate();
      return;
    }
    this.#isAnswered = false;
    this.#ws.ping();
  }

  #send(message: Uint8Array, done: (error?: Error | null) => void = () => undefined): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(message, { binary: true }, done);
    else done(new Error("the connection was reset"));
  }
}
