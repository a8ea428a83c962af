import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { logFiles, TaskLogs } from "../../../src/agent/logs/task-logs.ts";
import type { LogLine, LogStream } from "../../../src/gateway/logs/log-line.ts";

const anyWrite = fc.record({
  stream: fc.constantFrom<LogStream>("stdout", "stderr"),
  text: fc.array(fc.constantFrom("\n", "a", "b\n", "é", "\r\n", "x".repeat(9_000)), { maxLength: 6 }),
});

test("[N182] the last N lines are the end of all lines, of one stream or both, running or ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-tail-"));
  let runs = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyWrite, { maxLength: 12 }),
        fc.nat({ max: 12 }),
        fc.constantFrom<readonly LogStream[]>(["stdout"], ["stderr"], ["stdout", "stderr"]),
        fc.boolean(),
        async (writes, tail, streams, isEnded) => {
          const id = String(runs++);
          mkdirSync(join(folder, id));
          for (const file of Object.values(logFiles)) appendFileSync(join(folder, id, file), "");
          const logs = new TaskLogs((task) => join(folder, task));
          logs.watch(id);
          const read = async (last: number | null) => {
            const lines: LogLine[] = [];
            const { signal } = new AbortController();
            const query = { streams, tail: last, since: null, after: null, follow: false, signal };
            for await (const line of logs.read(id, query)) lines.push(line);
            return lines;
          };
          for (const { stream, text } of writes) {
            appendFileSync(join(folder, id, logFiles[stream]), text.join(""));
            await read(0);
          }
          if (isEnded) logs.end(id);
          expect(await read(tail)).toEqual(lastLines(await read(null), tail));
          logs.end(id);
        },
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The parts of the last lines: each line ends with its only line feed. */
function lastLines(parts: readonly LogLine[], count: number): readonly LogLine[] {
  const ends = parts.flatMap(({ text }, index) => (text.at(-1) === 10 ? [index] : []));
  if (count === 0) return [];
  return parts.slice(ends.length <= count ? 0 : (ends.at(-count - 1) ?? 0) + 1);
}
