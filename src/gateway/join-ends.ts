// Passes the bytes of two ends to each other, in a runtime with the streams of the web. For Node:
// src/net/join-streams.ts.

import type { ByteEnd } from "./byte-streams.ts";

export type JoinedEndsOptions = {
  /** Sent to the target before the client's first byte. */
  readonly preface: Uint8Array | null;
  /** Both ends are reset after so long without a byte in either direction, milliseconds; 0: never. */
  readonly idleMs: number;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** Receives a number of bytes that the client has sent, or that go to it. */
  readonly onBytes: (direction: "received" | "sent", bytes: number) => void;
};

/** The longest delay of a timer, milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/** Each direction ends alone; a reset of one end resets the other. Resolves when both are over. Never rejects. */
export async function joinEnds(
  client: ByteEnd,
  target: ByteEnd,
  { preface, idleMs, nowMs, onBytes }: JoinedEndsOptions,
): Promise<void> {
  let lastMs = nowMs();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const resetBoth = (reason: string): void => {
    client.reset(reason);
    target.reset(reason);
  };
  const watch = (): void => {
    const leftMs = lastMs + idleMs - nowMs();
    if (leftMs > 0) timer = setTimeout(watch, Math.min(leftMs, maxTimerMs));
    else resetBoth("no byte passed in the idle timeout");
  };
  if (idleMs > 0) watch();
  const counted = (direction: "received" | "sent") => (bytes: number) => {
    lastMs = nowMs();
    onBytes(direction, bytes);
  };
  try {
    await Promise.all([
      pump(client.readable, target.writable, preface, counted("received")),
      pump(target.readable, client.writable, null, counted("sent")),
    ]);
  } catch {
    resetBoth("the other side of the connection is gone");
  } finally {
    clearTimeout(timer);
  }
}

async function pump(
  from: ReadableStream<Uint8Array>,
  to: WritableStream<Uint8Array>,
  preface: Uint8Array | null,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const [reader, writer] = [from.getReader(), to.getWriter()];
  // Its failure is the one of the next write.
  writer.closed.catch(() => undefined);
  if (preface !== null) await writer.write(preface);
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    onBytes(read.value.length);
    await writer.write(read.value);
  }
  await writer.close();
}
