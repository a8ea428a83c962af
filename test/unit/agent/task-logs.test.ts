import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogQuery } from "../../../src/agent/logs/log-query.ts";
import { maxStreamBytes } from "../../../src/agent/logs/stream-log.ts";
import { TaskLogs } from "../../../src/agent/logs/task-logs.ts";
import type { LogLine } from "../../../src/gateway/logs/log-line.ts";
import { until } from "../../support/until.ts";

let stateDir: string;
let logs: TaskLogs;
let reading: AbortController;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "waggle-logs-"));
  logs = startTask();
  reading = new AbortController();
});
afterEach(() => {
  reading.abort();
  logs.end("a");
  rmSync(stateDir, { recursive: true });
});

/** Watches a task `a` whose files are there, as after its start. */
function startTask(): TaskLogs {
  mkdirSync(join(stateDir, "a"), { recursive: true });
  for (const name of ["log", "log.err"]) write(name, "");
  const started = new TaskLogs((id) => join(stateDir, id));
  started.watch("a");
  return started;
}

function write(file: string, text: string | Buffer): void {
  appendFileSync(join(stateDir, "a", file), text);
}

async function read(query: Partial<LogQuery> = {}): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of logs.read("a", { ...everything(), ...query })) lines.push(line);
  return lines;
}

function everything(): LogQuery {
  const { signal } = reading;
  return { streams: ["stdout", "stderr"], tail: null, since: null, after: null, follow: false, signal };
}

/** Collects the lines of a follower. */
function follow(query: Partial<LogQuery> = {}): { readonly lines: LogLine[]; readonly ended: Promise<void> } {
  const lines: LogLine[] = [];
  const collect = async () => {
    for await (const line of logs.read("a", { ...everything(), follow: true, ...query })) lines.push(line);
  };
  return { lines, ended: collect() };
}

function texts(lines: readonly LogLine[]): string[] {
  return lines.map(({ text }) => Buffer.from(text).toString());
}

/** Writes lines so that each has a time of its own. */
async function writeInOrder(...lines: readonly (readonly [file: string, text: string])[]): Promise<void> {
  for (const [file, text] of lines) {
    const before = (await read()).length;
    write(file, text);
    await until("the line", async () => (await read()).length > before);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe("lines", () => {
  test("[N180] lines of both streams have a time and come in its order", async () => {
    const startMs = Date.now();
    await writeInOrder(["log", "one\n"], ["log.err", "two\n"], ["log", "three\nfour\n"]);
    const lines = await read();
    expect(texts(lines)).toEqual(["one\n", "two\n", "three\n", "four\n"]);
    expect(lines.map(({ stream }) => stream)).toEqual(["stdout", "stderr", "stdout", "stdout"]);
    const times = lines.map(({ time }) => time);
    expect(times.toSorted()).toEqual(times);
    expect(new Set(times).size).toBe(4);
    for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    expect(Date.parse(times[0] ?? "")).toBeGreaterThanOrEqual(startMs);
    expect(Date.parse(times[3] ?? "")).toBeLessThanOrEqual(Date.now());
  });

  test("[N180] the file's watcher gives a line its time, without a reader", async () => {
    write("log", "soon\n");
    const writtenMs = Date.now();
    await until("the next second", () => Date.now() > writtenMs + 700);
    const [line] = await read();
    expect(Date.parse(line?.time ?? "") - writtenMs).toBeLessThan(500);
  });

  test("[N181] bytes stay as they are, and a long line is read in parts of 16 KiB", async () => {
    const binary = Buffer.from([0, 255, 254, 13, 128, 10]);
    const long = `${"y".repeat(1_500_000)}\n`;
    write("log", binary);
    write("log", long);
    const [first, ...parts] = await read();
    expect(Buffer.from(first?.text ?? [])).toEqual(binary);
    expect(texts(parts).join("")).toBe(long);
    expect(parts.every(({ text }) => text.length <= 16_384)).toBe(true);
    expect(texts(parts).filter((text) => text.endsWith("\n"))).toHaveLength(1);
  });

  test("[N181] a last line without a line feed is a line when the task has ended", async () => {
    write("log", "whole\npart");
    expect(texts(await read())).toEqual(["whole\n"]);
    expect(texts(await read({ tail: 1 }))).toEqual(["whole\n"]);
    logs.end("a");
    expect(texts(await read())).toEqual(["whole\n", "part\n"]);
    expect(texts(await read({ tail: 1 }))).toEqual(["part\n"]);
  });

  test("[N182] the last lines are those of both streams together", async () => {
    await writeInOrder(["log", "1\n2\n"], ["log.err", "3\n"], ["log", "4\n"], ["log.err", "5\n"]);
    expect(texts(await read({ tail: 3 }))).toEqual(["3\n", "4\n", "5\n"]);
    expect(texts(await read({ tail: 2, streams: ["stdout"] }))).toEqual(["2\n", "4\n"]);
    expect(await read({ tail: 0 })).toEqual([]);
    expect(await read({ tail: 99 })).toHaveLength(5);
  });

  test("[N182] lines are read since a time, or after one, with the same times as before", async () => {
    await writeInOrder(["log", "1\n"], ["log.err", "2\n"], ["log", "3\n4\n5\n"]);
    const all = await read();
    for (const [index, { time }] of all.entries()) {
      expect(await read({ since: time })).toEqual(all.slice(index));
      expect(await read({ after: time })).toEqual(all.slice(index + 1));
    }
    expect(await read({ tail: 1 })).toEqual(all.slice(-1));
  });

  test("[N182] a follower gets further lines until the task has ended, or its reader goes", async () => {
    write("log", "old\n");
    const all = follow();
    const fresh = follow({ tail: 0 });
    await until("the first line", () => all.lines.length === 1);
    write("log.err", "new\nlast");
    await until("the next one", () => fresh.lines.length === 1);
    const gone = new AbortController();
    const leaving = follow({ signal: gone.signal });
    gone.abort();
    await leaving.ended;
    logs.end("a");
    await Promise.all([all.ended, fresh.ended]);
    expect(texts(all.lines)).toEqual(["old\n", "new\n", "last\n"]);
    expect(texts(fresh.lines)).toEqual(["new\n", "last\n"]);
  });
});

describe("limits", () => {
  const block = `${"z".repeat(99)}\n`.repeat(10_000);

  test("[N183] a flood stays within its size, and its newest lines can be read", async () => {
    let last = "";
    for (let count = 0; count < 30; count++) {
      last = `block ${count}\n`;
      write("log", block + last);
      await read({ tail: 0 });
      const sizes = ["log", "log.1", "log.times"].map(
        (name) => statSync(join(stateDir, "a", name), { throwIfNoEntry: false })?.size ?? 0,
      );
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxStreamBytes + block.length + last.length);
    }
    expect(texts(await read({ tail: 1 }))).toEqual([last]);
    const lines = texts(await read());
    expect(lines.length).toBeGreaterThan(40_000);
    expect(lines.every((line) => line === block.slice(0, 100) || /^block \d+\n$/.test(line))).toBe(true);
    const tail = texts(await read({ tail: 30_000 }));
    expect(tail).toEqual(lines.slice(-30_000));
  });

  test("[N183] a reader that is slower than its task continues behind what is gone", async () => {
    write("log", `first\n${block}`);
    const lines = logs.read("a", { ...everything(), follow: true });
    expect(texts([(await lines.next()).value as LogLine])).toEqual(["first\n"]);
    for (let count = 0; count < 12; count++) {
      write("log", block);
      await read({ tail: 0 });
    }
    write("log", "end\n");
    logs.end("a");
    const rest: LogLine[] = [];
    for await (const line of lines) rest.push(line);
    expect(texts(rest).at(-1)).toBe("end\n");
    expect(new Set(texts(rest))).toEqual(new Set([block.slice(0, 100), "end\n"]));
    expect(rest.length).toBeLessThan(130_000);
  });

  test("[N184] times outlive the agent, and what was written without one has the time of the file", async () => {
    await writeInOrder(["log", "1\n"], ["log.err", "2\n"]);
    const before = await read();
    logs.end("a");
    write("log", "3\n");
    const writtenMs = Date.now() + 60_000;
    utimesSync(join(stateDir, "a", "log"), writtenMs / 1_000, writtenMs / 1_000);
    logs = startTask();
    const lines = await read();
    expect(lines.slice(0, 2)).toEqual(before);
    expect(texts(lines).at(-1)).toBe("3\n");
    expect(Date.parse(lines.at(-1)?.time ?? "")).toBe(writtenMs);
  });

  test("[N184] a log of an earlier release, without times, is read with its older part", async () => {
    logs.end("a");
    rmSync(join(stateDir, "a"), { recursive: true });
    mkdirSync(join(stateDir, "a"));
    write("log.1", "old 1\nold");
    write("log", " 2\nnew\n");
    utimesSync(join(stateDir, "a", "log.1"), 1_700_000_000, 1_700_000_000);
    const lines = await read();
    expect(texts(lines)).toEqual(["old 1\n", "old 2\n", "new\n"]);
    expect(lines[0]?.time).toBe("2023-11-14T22:13:20.000000000Z");
    expect(readFileSync(join(stateDir, "a", "log"), "utf8")).toBe(" 2\nnew\n");
  });
});
