// The body of a response to an attempt `logs`: a frame for each line.
//
//   1 byte   1 stdout, 2 stderr; 0: the stream is still there, and the frame has no line
//   1 byte   0
//   2 bytes  position of the task in the request
//   4 bytes  length of the rest
//   30 bytes the line's time, then the line
//
// Numbers are big endian.

import { isLogTime, type LogLine, maxLogPartBytes } from "./log-line.ts";

/** A line of one of several tasks. */
export type TaskLine = LogLine & {
  /** Position of the task. */
  readonly task: number;
};

const headBytes = 8;
const timeBytes = 30;

/** Between frames of a stream that has nothing to send, milliseconds. */
export const logKeepAliveMs = 10_000;

/** A frame without a line. */
export const keepAliveFrame: Uint8Array = new Uint8Array(headBytes);

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export function logFrame({ task, stream, time, text }: TaskLine): Uint8Array {
  const frame = new Uint8Array(headBytes + timeBytes + text.length);
  const view = new DataView(frame.buffer);
  frame[0] = stream === "stdout" ? 1 : 2;
  view.setUint16(2, task);
  view.setUint32(4, timeBytes + text.length);
  encoder.encodeInto(time, frame.subarray(headBytes));
  frame.set(text, headBytes + timeBytes);
  return frame;
}

/**
 * Reads frames. Yields the lines that came at once together, so that a quiet stream yields an empty list.
 *
 * @param tasks number of tasks in the request
 * @throws Error if the bytes are no frames, or end within one
 */
export async function* readLogFrames(
  parts: AsyncIterable<Uint8Array>,
  tasks: number,
): AsyncGenerator<readonly TaskLine[], void, void> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of parts) {
    const bytes = joined(rest, part);
    const lines: TaskLine[] = [];
    let at = 0;
    for (;;) {
      const length = frameLength(bytes, at, tasks);
      if (length === null || at + length > bytes.length) break;
      if (length > headBytes) lines.push(lineOf(bytes.subarray(at, at + length)));
      at += length;
    }
    rest = bytes.slice(at);
    yield lines;
  }
  if (rest.length > 0) throw new Error("the stream ended within a line");
}

/** The length of the frame that begins at an offset; null if its head is not complete. */
function frameLength(bytes: Uint8Array, at: number, tasks: number): number | null {
  if (at + headBytes > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, headBytes);
  const [kind, task, length] = [view.getUint8(0), view.getUint16(2), view.getUint32(4)];
  const isRight =
    kind === 0
      ? length === 0
      : kind <= 2 && task < tasks && length >= timeBytes && length <= timeBytes + maxLogPartBytes + 1;
  if (!isRight) throw new Error("the stream cannot be read");
  return headBytes + length;
}

function lineOf(frame: Uint8Array): TaskLine {
  const textAt = headBytes + timeBytes;
  const time = decoder.decode(frame.subarray(headBytes, textAt));
  if (!isLogTime(time)) throw new Error("the stream cannot be read");
  return {
    task: new DataView(frame.buffer, frame.byteOffset).getUint16(2),
    stream: frame[0] === 1 ? "stdout" : "stderr",
    time,
    text: frame.subarray(textAt),
  };
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
