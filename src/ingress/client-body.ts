// A client's body on its way to a target, and whose fault it is when it does not arrive.
//
// The runtime reports a broken client and a broken target with the same error. Therefore the body goes through
// a pipe of the platform, so that the end that failed is known: the request to the target is broken off
// through the pipe, and only for a fault of the client. The first part of the body also goes through the
// isolate, which notices a client that stops sending. Time in which the target does not read is the target's.

import type { BodyWatch } from "../proxy/limits.ts";
import type { BodyPipe } from "../proxy/plane.ts";

/** The client's fault: its body broke off, or no byte of it came for too long. */
export type BodyFault = "body-broken" | "body-stalled";

/** Bytes read at once. */
const readBytes = 64 * 1024;

type Bytes = ReadableStream<Uint8Array>;

/**
 * A body that streams to a target.
 *
 * @see docs/decisions/0060-whose-fault.md
 */
export class ClientBody {
  /** What the target gets. */
  readonly readable: Bytes;
  /**
   * Ends the request to the target when a body of unknown length breaks: the runtime's pipe would end it as if
   * it were complete. Null if the length is known, because a signal costs the response the runtime's own
   * streaming.
   */
  readonly signal: AbortSignal | null;
  /** Since when the request waits for its target, epoch milliseconds; null while it waits for its client. */
  waitsForTargetMs: number | null = null;
  /**
   * The client's fault, set before the request is broken off for it; resolves with null if it was the
   * target's. Null if nothing failed at the client's end: a failed attempt is the target's fault.
   */
  fault: Promise<BodyFault | null> | null = null;
  /** Bytes that the target was sent through the isolate: all of a body of unknown length. */
  passedBytes = 0;
  readonly #abort: AbortController | null;
  readonly #source: Bytes;
  readonly #writable: WritableStream<Uint8Array>;
  readonly #watchedBytes: number;
  readonly #nowMs: () => number;
  readonly #stall: StallTimer;
  #ended: Promise<void> | null = null;

  /** @param bytes its length; null if that is unknown */
  constructor(
    source: Bytes,
    bytes: number | null,
    pipe: BodyPipe,
    { stallMs, watchedBytes }: BodyWatch,
    nowMs: () => number,
  ) {
    this.#abort = bytes === null ? new AbortController() : null;
    this.signal = this.#abort?.signal ?? null;
    this.#source = source;
    this.readable = pipe.readable;
    this.#writable = pipe.writable;
    this.#watchedBytes = watchedBytes;
    this.#nowMs = nowMs;
    this.#stall = new StallTimer(stallMs, nowMs);
  }

  /** Starts to pass the body. Resolves when it has ended or failed; never rejects. */
  pass(): Promise<void> {
    this.#ended ??= this.#pass().finally(() => this.#stall.stop());
    return this.#ended;
  }

  /** The attempt has a response or has failed: from now on the client may pause for any time. */
  endWatch(): void {
    this.#stall.stop();
  }

  async #pass(): Promise<void> {
    const reader = byteReader(this.#source);
    const writer = this.#writable.getWriter();
    let buffer = new ArrayBuffer(readBytes);
    // A body of unknown length has no end that shows who failed: see #passRest.
    const passesAll = this.#abort !== null;
    while (passesAll || this.passedBytes < this.#watchedBytes) {
      if (this.passedBytes >= this.#watchedBytes) this.#stall.stop();
      this.waitsForTargetMs = null;
      const read = await this.#stall.watch(reader.read(new Uint8Array(buffer)));
      if (read === "body-stalled" || read === "body-broken") return this.#breakOff(writer, read);
      this.waitsForTargetMs = this.#nowMs();
      const isPassed = await succeeds(read.done ? writer.close() : writer.write(read.value));
      if (read.done || !isPassed) return;
      this.passedBytes += read.value.byteLength;
      buffer = read.value.buffer as ArrayBuffer;
    }
    reader.releaseLock();
    writer.releaseLock();
    await this.#passRest();
  }

  #breakOff(writer: WritableStreamDefaultWriter<Uint8Array>, fault: BodyFault): void {
    this.fault = Promise.resolve(fault);
    if (this.#abort !== null) this.#abort.abort(new Error(fault));
    else writer.abort(new Error(fault)).catch(() => undefined);
  }

  /**
   * Passes the rest of a body of known length without the isolate. If either end fails, both report the same
   * error. The pipe can be closed only if its target still reads; then the request to it is broken off, because
   * bytes are missing. A body of unknown length would be completed.
   */
  async #passRest(): Promise<void> {
    this.waitsForTargetMs = null;
    const isPassed = await succeeds(this.#source.pipeTo(this.#writable, { preventAbort: true }));
    this.waitsForTargetMs = this.#nowMs();
    if (isPassed) return;
    const isClosed = succeeds(this.#writable.getWriter().close());
    this.fault = isClosed.then((targetReads) => (targetReads ? "body-broken" : null));
  }
}

/**
 * Reads a whole body, so that it can be sent more than once.
 *
 * @param bytes its length
 */
export async function readBody(
  source: Bytes,
  bytes: number,
  { stallMs }: BodyWatch,
  nowMs: () => number,
): Promise<ArrayBuffer | BodyFault> {
  const reader = byteReader(source);
  const stall = new StallTimer(stallMs, nowMs);
  try {
    let buffer = new ArrayBuffer(bytes);
    for (let length = 0; length < bytes; ) {
      const read = await stall.watch(reader.read(new Uint8Array(buffer, length)));
      if (read === "body-stalled" || read === "body-broken") return read;
      if (read.done) return "body-broken";
      length += read.value.byteLength;
      buffer = read.value.buffer as ArrayBuffer;
    }
    return buffer;
  } finally {
    stall.stop();
  }
}

function byteReader(source: Bytes): ReadableStreamBYOBReader {
  return source.getReader({ mode: "byob" });
}

/** Limits the time of each read with one timer for all of them: a client may send byte by byte. */
class StallTimer {
  readonly #nowMs: () => number;
  #stallMs: number;
  /** When the pending read began, epoch milliseconds; null without one. */
  #sinceMs: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #onStall: () => void = () => undefined;

  constructor(stallMs: number, nowMs: () => number) {
    this.#stallMs = stallMs;
    this.#nowMs = nowMs;
  }

  /** The value of a read, or the reason why it has none. */
  watch<T>(read: Promise<T>): Promise<T | BodyFault> {
    if (this.#stallMs === Number.POSITIVE_INFINITY) return read.catch(() => "body-broken" as const);
    this.#sinceMs = this.#nowMs();
    if (this.#timer === null) this.#arm(this.#stallMs);
    return new Promise((resolve) => {
      this.#onStall = () => resolve("body-stalled");
      read
        .catch(() => "body-broken" as const)
        .then((value) => {
          this.#sinceMs = null;
          resolve(value);
        });
    });
  }

  /** From now on a read may take any time. */
  stop(): void {
    this.#stallMs = Number.POSITIVE_INFINITY;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#sinceMs === null) return;
      const leftMs = this.#sinceMs + this.#stallMs - this.#nowMs();
      if (leftMs > 0) this.#arm(leftMs);
      else this.#onStall();
    }, ms);
  }
}

/** True once it resolves, false if it rejects. */
function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
