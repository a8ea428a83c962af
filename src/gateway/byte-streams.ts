// One end of a TCP connection that crosses a WebSocket, for a runtime with the streams of the web: Workers. The end
// for Node is src/net/byte-socket.ts.

import { byteWindow, maxMessageBytes, readByteMessage, writeByteMessage } from "./byte-messages.ts";

/** The bytes of a connection, in both directions. */
export type ByteEnd = {
  /** Ends with the other side's direction; fails if the connection is reset. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Closing it ends this side's direction alone. */
  readonly writable: WritableStream<Uint8Array>;
  /** Ends both directions at once, so that the other side does not take what it got for complete. */
  readonly reset: (reason: string) => void;
};

/** What is used of a WebSocket, which is open. Its binary messages arrive as ArrayBuffer. */
export type MessageSocket = {
  send(message: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "close" | "error", listener: () => void): void;
};

/** Close codes of RFC 6455 §7.4.1. */
const closeNormal = 1000;
const closeGoingAway = 1001;
const closeProtocolError = 1002;

/** Messages that wait for the reader are joined up to this size: each part has a cost beside its bytes. */
const joinedBytes = 4_096;

/** Further bytes are granted in steps of this size. */
const grantStepBytes = byteWindow / 4;

/** @param ws used by nothing else */
export function byteEndOf(ws: MessageSocket): ByteEnd {
  const end = new ByteStreams(ws);
  return { readable: end.readable, writable: end.writable, reset: (reason) => end.reset(reason) };
}

class ByteStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #ws: MessageSocket;
  readonly #received: Uint8Array[] = [];
  /** Bytes that may be sent. */
  #credit = byteWindow;
  /** Bytes that the other end may send, and those that were read since the last grant. */
  #granted = byteWindow;
  #taken = 0;
  #hasSentEnd = false;
  #hasReceivedEnd = false;
  /** Why both directions are over. */
  #failure: Error | null = null;
  /** Called when something has changed for the reader, or the writer. */
  #wakeReader: () => void = () => undefined;
  #wakeWriter: () => void = () => undefined;

  constructor(ws: MessageSocket) {
    this.#ws = ws;
    this.readable = new ReadableStream(
      { pull: (controller) => this.#pull(controller), cancel: () => this.reset("its reader has gone") },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream({
      write: (bytes) => this.#write(bytes),
      close: () => this.#end(),
      abort: () => this.reset("its writer has gone"),
    });
    ws.addEventListener("message", ({ data }) => this.#receive(data));
    for (const type of ["close", "error"] as const) ws.addEventListener(type, () => this.#closed());
  }

  reset(reason: string): void {
    this.#fail(closeGoingAway, reason);
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#received.length === 0 && !this.#hasReceivedEnd) {
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    const bytes = this.#received.shift();
    if (bytes === undefined) {
      controller.close();
      return;
    }
    this.#taken += bytes.length;
    this.#grant();
    controller.enqueue(bytes);
  }

  #grant(): void {
    if (this.#taken < grantStepBytes || this.#hasReceivedEnd || this.#failure !== null) return;
    this.#granted += this.#taken;
    this.#send(writeByteMessage({ type: "window", window: this.#taken }));
    this.#taken = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0; ) {
      while (this.#credit === 0 && this.#failure === null) {
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
      }
      if (this.#failure !== null) throw this.#failure;
      const part = rest.subarray(0, Math.min(this.#credit, maxMessageBytes));
      this.#credit -= part.length;
      this.#send(writeByteMessage({ type: "bytes", bytes: part }));
      rest = rest.subarray(part.length);
    }
  }

  #end(): void {
    if (this.#failure !== null) throw this.#failure;
    this.#hasSentEnd = true;
    this.#send(writeByteMessage({ type: "end" }));
    this.#closeIfEnded();
  }

  #receive(data: unknown): void {
    const message = data instanceof ArrayBuffer ? readByteMessage(new Uint8Array(data)) : null;
    if (message === null) this.#violated("a message that is not one of bytes");
    else if (message.type === "window") {
      this.#credit += message.window;
      if (this.#credit > byteWindow) this.#violated("a window that was not used");
      this.#wakeWriter();
    } else if (this.#hasReceivedEnd) this.#violated("bytes behind the end");
    else if (message.type === "end") {
      this.#hasReceivedEnd = true;
      this.#wakeReader();
      this.#closeIfEnded();
    } else {
      this.#granted -= message.bytes.length;
      if (this.#granted < 0) this.#violated("more bytes than it may");
      else this.#keep(message.bytes);
      this.#wakeReader();
    }
  }

  /** Keeps bytes for the reader. */
  #keep(bytes: Uint8Array): void {
    const last = this.#received.at(-1);
    if (last === undefined || last.length + bytes.length > joinedBytes) {
      this.#received.push(bytes);
      return;
    }
    const joined = new Uint8Array(last.length + bytes.length);
    joined.set(last);
    joined.set(bytes, last.length);
    this.#received[this.#received.length - 1] = joined;
  }

  #violated(what: string): void {
    this.#fail(closeProtocolError, `the other end sent ${what}`);
  }

  #closeIfEnded(): void {
    if (this.#hasSentEnd && this.#hasReceivedEnd) this.#ws.close(closeNormal);
  }

  /** The WebSocket has ended: a reset, unless both directions had ended. */
  #closed(): void {
    if (!this.#hasSentEnd || !this.#hasReceivedEnd) this.#fail(closeGoingAway, "the connection was reset");
  }

  #fail(code: number, reason: string): void {
    if (this.#failure !== null || (this.#hasSentEnd && this.#hasReceivedEnd)) return;
    this.#failure = new Error(reason);
    this.#received.length = 0;
    this.#wakeReader();
    this.#wakeWriter();
    try {
      this.#ws.close(code, reason);
    } catch {
      // It is closed already.
    }
  }

  #send(message: Uint8Array): void {
    try {
      this.#ws.send(message);
    } catch {
      this.#fail(closeGoingAway, "the connection was reset");
    }
  }
}
