import { expect, test } from "vitest";
import { laterTime } from "../../../../src/agent/runtimes/docker/container-logs.ts";
import { readFrames, readTerminal } from "../../../../src/agent/runtimes/docker/log-messages.ts";

const time = "2026-11-28T14:36:24.123456789Z";

async function* inChunksOf(size: number, bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const shown = ({ stream, time, text }: { stream: string; time: string; text: Buffer }) => [
  stream,
  time,
  text.toString(),
];

function frame(type: 1 | 2, text: string): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

test.each([1, 7, 8, 1_000])(
  "[N129] frames of the daemon are lines with streams and times, in chunks of %d bytes",
  async (size) => {
    const bytes = Buffer.concat([
      frame(1, `${time} one two\n`),
      frame(2, `${time} érr`),
      frame(1, `${time} \n`),
    ]);
    expect((await allOf(readFrames(inChunksOf(size, bytes)))).map(shown)).toEqual([
      ["stdout", time, "one two\n"],
      ["stderr", time, "érr"],
      ["stdout", time, "\n"],
    ]);
  },
);

test.each([1, 33, 100_000])(
  "[N129] a terminal's output is lines, and parts of long lines, in chunks of %d bytes",
  async (size) => {
    const long = "x".repeat(16_384);
    const bytes = Buffer.from(`${time} one\r\n${time} ${long}${time} rest\n${time} end`);
    expect((await allOf(readTerminal(inChunksOf(size, bytes)))).map(shown)).toEqual([
      ["stdout", time, "one\r\n"],
      ["stdout", time, long],
      ["stdout", time, "rest\n"],
      ["stdout", time, "end\n"],
    ]);
  },
);

test("[N129] times of another zone or precision are UTC with nine decimals", async () => {
  const bytes = Buffer.concat([frame(1, "2026-11-28T16:36:24.12+02:00 one\n"), frame(1, "no time\n")]);
  expect((await allOf(readFrames(inChunksOf(50, bytes)))).map(shown)).toEqual([
    ["stdout", "2026-11-28T14:36:24.120000000Z", "one\n"],
    ["stdout", "", "no time\n"],
  ]);
});

test.each([
  ["2026-11-28T14:36:24.000000001Z", "2026-11-28T14:36:24.000000000Z", "2026-11-28T14:36:24.000000001Z"],
  ["2026-11-28T14:36:24.000000000Z", "2026-11-28T14:36:24.000000009Z", "2026-11-28T14:36:24.000000010Z"],
  ["", "2026-12-31T23:59:59.999999999Z", "2027-01-01T00:00:00.000000000Z"],
  [time, "", time],
])("[N129] the time %j after %j is %j, so that no two lines have one", (next, previous, expected) => {
  expect(laterTime(next, previous)).toBe(expected);
});
