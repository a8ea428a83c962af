// Lines of tasks on their way: frames, and the merge of several sources.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  keepAliveFrame,
  logFrame,
  readLogFrames,
  type TaskLine,
} from "../../../src/gateway/logs/log-frames.ts";
import { maxLogPartBytes, printLogTime } from "../../../src/gateway/logs/log-line.ts";
import { LineMerge } from "../../../src/gateway/logs/merge-lines.ts";

const anyLine: fc.Arbitrary<TaskLine> = fc.record({
  task: fc.integer({ min: 0, max: 9 }),
  stream: fc.constantFrom("stdout" as const, "stderr" as const),
  time: fc.nat({ max: 4_000_000_000_000 }).map(printLogTime),
  text: fc.uint8Array({ maxLength: 300 }),
});

async function* inParts(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function readAll(bytes: Uint8Array, sizes = [bytes.length || 1], tasks = 10): Promise<TaskLine[]> {
  const lines: TaskLine[] = [];
  for await (const list of readLogFrames(inParts(bytes, sizes), tasks)) lines.push(...list);
  return lines;
}

function plain(lines: readonly TaskLine[]): object[] {
  return lines.map((line) => ({ ...line, text: [...line.text] }));
}

test("[N185] frames read back equal, wherever the stream is cut and however often it is silent", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(anyLine), sizes, async (lines, parts) => {
      const bytes = Buffer.concat(lines.flatMap((line) => [keepAliveFrame, logFrame(line)]));
      expect(plain(await readAll(bytes, parts))).toEqual(plain(lines));
    }),
  );
});

test("[N185] bytes that are no frames, and a stream that ends within one, are refused", async () => {
  await fc.assert(
    fc.asyncProperty(anyLine, fc.nat(), async (line, at) => {
      const frame = logFrame(line);
      await expect(readAll(frame.subarray(0, 1 + (at % (frame.length - 1))))).rejects.toThrow(
        "within a line",
      );
    }),
  );
  const line: TaskLine = { task: 9, stream: "stdout", time: printLogTime(0), text: new Uint8Array(1) };
  await expect(readAll(logFrame(line), undefined, 9)).rejects.toThrow("cannot be read");
  for (const head of [
    [3, 0, 0, 0, 0, 0, 0, 31],
    [0, 0, 0, 0, 0, 0, 0, 1],
    [1, 0, 0, 0, 0, 0, 0, 29],
    [1, 0, 0, 0, 255, 255, 255, 255],
  ])
    await expect(readAll(new Uint8Array(head))).rejects.toThrow("cannot be read");
  const long = { ...line, task: 0, text: new Uint8Array(maxLogPartBytes + 2) };
  await expect(readAll(logFrame(long))).rejects.toThrow("cannot be read");
});

type NumberedLine = { readonly source: number; readonly time: string; readonly text: Uint8Array };

test("[N186] merged lines are in the order of their times, and those of each source in theirs", async () => {
  const anySource = fc.array(fc.array(fc.nat({ max: 20 }), { maxLength: 4 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anySource, { maxLength: 5 }),
      fc.integer({ min: 1, max: 9 }),
      async (all, max) => {
        const sources = all.map((lists, source) => {
          let time = 0;
          return lists.map((steps) =>
            steps.map((step): NumberedLine => {
              time += step;
              return { source, time: printLogTime(time), text: new Uint8Array(1) };
            }),
          );
        });
        const merge = new LineMerge<NumberedLine>(null);
        for (const lists of sources) {
          const source = async function* () {
            for (const list of lists) yield list;
          };
          merge.add(source());
        }
        const merged: NumberedLine[] = [];
        for (let list = await merge.next(max); list !== null; list = await merge.next(max)) {
          expect(list.length).toBeGreaterThan(0);
          expect(list.length).toBeLessThanOrEqual(max);
          merged.push(...list);
        }
        const times = merged.map(({ time }) => time);
        expect(times).toEqual(times.toSorted());
        for (const [index, lists] of sources.entries())
          expect(merged.filter(({ source }) => source === index)).toEqual(lists.flat());
      },
    ),
  );
});

test("[N186] a slow reader holds sources back: none is read ahead by more than a list", async () => {
  let yielded = 0;
  const source = async function* () {
    for (;;) {
      yielded += 1;
      yield [{ source: 0, time: printLogTime(yielded), text: new Uint8Array(1) }];
    }
  };
  const merge = new LineMerge<NumberedLine>(null);
  merge.add(source());
  for (let read = 1; read <= 5; read++) {
    await merge.next(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(yielded).toBeLessThanOrEqual(read + 1);
  }
  merge.close();
});

test("[N186] a follower does not wait for a source that is silent, and an error of a source is its end", async () => {
  const silent = async function* (): AsyncGenerator<readonly NumberedLine[]> {
    await new Promise(() => undefined);
  };
  const one = async function* () {
    yield [{ source: 1, time: printLogTime(1), text: new Uint8Array(1) }];
  };
  const merge = new LineMerge<NumberedLine>(10);
  merge.add(silent());
  merge.add(one());
  expect(await merge.next(100)).toHaveLength(1);
  merge.add({ next: () => Promise.reject(new Error("broken off")) });
  await expect(merge.next(100)).rejects.toThrow("broken off");
});
