// Bodies whose length no header says: their bytes are counted as they pass through the isolate.

import { counterIndex } from "../telemetry/counters.ts";
import { countLate } from "./counting.ts";
import type { ForwardState } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

type Bytes = ReadableStream<Uint8Array>;

/** Bytes read at once: small reads would cost more than they count. */
const countedReadBytes = 64 * 1024;

/**
 * On Cloudflare the CPU time of a request is limited and paid for, so that the rest of a longer body streams without
 * the isolate, and uncounted. Elsewhere all bytes are counted.
 */
const maxCountedBytes = 1024 ** 2;

/** The body of a response of unknown length, which counts what a client is sent. */
export function countedResponseBody(body: Bytes, incoming: ProxyRequest, state: ForwardState): Bytes {
  const { plane } = incoming;
  const { readable, writable } = plane.newBodyPipe(null);
  const limit = plane.platformStatuses ? maxCountedBytes : Number.POSITIVE_INFINITY;
  const count = (bytes: number): void => countLate(incoming, state, counterIndex.bytesOut, bytes);
  // Not in waitUntil: that would keep the target's stream open after the client has gone.
  void passCounted(body, writable, limit, count);
  return readable;
}

/** Counts the rest of a request's body, whose begin was counted with the request. */
export function countRequestBody(incoming: ProxyRequest, state: ForwardState): void {
  const { clientBody } = state;
  if (clientBody === null) return;
  const counted = clientBody.passedBytes;
  const rest = clientBody.pass().then(() => {
    countLate(incoming, state, counterIndex.bytesIn, clientBody.passedBytes - counted);
  });
  incoming.waitUntil(rest);
}

/**
 * Passes a body on. If it breaks, so does the copy: a client must not take a part for the whole. If the client goes,
 * the target is no longer read.
 */
async function passCounted(
  body: Bytes,
  writable: WritableStream<Uint8Array>,
  limit: number,
  count: (bytes: number) => void,
): Promise<void> {
  const writer = writable.getWriter();
  const reader = readerOf(body);
  // A quiet stream has no write that would fail.
  writer.closed.catch((error: unknown) => reader.cancel(error).catch(() => undefined));
  let passed = 0;
  try {
    while (passed < limit) {
      const chunk = await reader.read();
      if (chunk === null) return await writer.close();
      await writer.write(chunk);
      passed += chunk.byteLength;
      count(chunk.byteLength);
    }
    reader.release();
    writer.releaseLock();
    await body.pipeTo(writable);
  } catch (error) {
    await Promise.allSettled([writer.abort(error), reader.cancel(error)]);
  }
}

type ChunkReader = {
  /** Null at the end. The chunk is valid until the next call. */
  readonly read: () => Promise<Uint8Array | null>;
  readonly release: () => void;
  readonly cancel: (reason: unknown) => Promise<void>;
};

/** Reads into one buffer if the stream can: a buffer for each chunk would be garbage at once. */
function readerOf(body: Bytes): ChunkReader {
  const byob = byobReader(body);
  if (byob === null) {
    const reader = body.getReader();
    return {
      read: async () => (await reader.read()).value ?? null,
      release: () => reader.releaseLock(),
      cancel: (reason) => reader.cancel(reason),
    };
  }
  let buffer = new ArrayBuffer(countedReadBytes);
  return {
    read: async () => {
      const { done, value } = await byob.read(new Uint8Array(buffer));
      if (done) return null;
      buffer = value.buffer as ArrayBuffer;
      return value;
    },
    release: () => byob.releaseLock(),
    cancel: (reason) => byob.cancel(reason),
  };
}

/** Null for a stream that no runtime made, such as that of a test. */
function byobReader(body: Bytes): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}
