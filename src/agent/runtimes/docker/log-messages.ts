// What the daemon sends of a container's output: messages with times.

import { type LogStream, maxLogPartBytes } from "../../../gateway/logs/log-line.ts";

/** A line, or a part of a long one, with its time as in `LogLine`; empty if the daemon sent none. */
export type DriverMessage = { readonly stream: LogStream; readonly time: string; readonly text: Buffer };

const headerBytes = 8;
const stderrType = 2;
const lineFeed = 10;
/** The daemon's time, with nine decimals, and a space. */
const timePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,9})(Z|[+-]\d\d:\d\d) /;
const maxTimeBytes = 36;
/** A time of UTC and a part of a long line, which has no line feed of its own. */
const terminalPartBytes = "2026-11-28T14:36:24.123456789Z ".length + maxLogPartBytes;

/**
 * Messages of a container without a terminal: one byte for the stream, three zeros, the length as 32 bits, the text.
 *
 * @see https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export async function* readFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<DriverMessage, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at + headerBytes <= bytes.length) {
      const start = at + headerBytes;
      const end = start + bytes.readUInt32BE(at + 4);
      if (end > bytes.length) break;
      yield messageOf(bytes[at] === stderrType ? "stderr" : "stdout", bytes.subarray(start, end));
      at = end;
    }
    rest = bytes.subarray(at);
  }
}

/**
 * Messages of a container with a terminal, whose streams are one. The daemon marks no ends: a line ends at its line
 * feed, and a part of a long line at its size. What follows the last line feed is a line.
 */
export async function* readTerminal(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<DriverMessage, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = endOfMessage(rest); end > 0; end = endOfMessage(rest)) {
      yield messageOf("stdout", rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  }
  if (rest.length > 0) yield messageOf("stdout", Buffer.concat([rest, Buffer.from("\n")]));
}

/** 0: it has not come yet. */
function endOfMessage(bytes: Buffer): number {
  const end = bytes.indexOf(lineFeed) + 1;
  if (end > 0 && end <= terminalPartBytes) return end;
  return bytes.length > terminalPartBytes ? terminalPartBytes : 0;
}

function messageOf(stream: LogStream, bytes: Buffer): DriverMessage {
  const match = timePattern.exec(bytes.toString("latin1", 0, maxTimeBytes));
  if (match === null) return { stream, time: "", text: bytes };
  const [head, seconds = "", fraction = "", zone = ""] = match;
  const utc = zone === "Z" ? seconds : new Date(`${seconds}${zone}`).toISOString().slice(0, seconds.length);
  return { stream, time: `${utc}.${fraction.padEnd(9, "0")}Z`, text: bytes.subarray(head.length) };
}
