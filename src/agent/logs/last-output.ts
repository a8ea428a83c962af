// The last lines of a task that failed, for its error.

import type { LogLine } from "../../gateway/logs/log-line.ts";
import type { Runtime } from "../runtimes/runtime.ts";

/** Lines of a failed task in its error, and the characters that they may have together. */
const maxErrorLines = 5;
const maxErrorCharacters = 500;
/** The end of a task does not wait longer for its output, milliseconds. */
const readTimeoutMs = 1_000;

/**
 * The last lines of both streams as one text, `one | two`; empty if the task wrote nothing, or if its output
 * cannot be read in time.
 */
export async function lastOutput(runtime: Pick<Runtime, "readLogs">, taskId: string): Promise<string> {
  const signal = AbortSignal.timeout(readTimeoutMs);
  const late = new Promise<readonly LogLine[]>((resolve) => {
    signal.addEventListener("abort", () => resolve([]), { once: true });
  });
  const lines = runtime.readLogs(taskId, {
    streams: ["stdout", "stderr"],
    tail: maxErrorLines,
    since: null,
    after: null,
    follow: false,
    signal,
  });
  try {
    return errorText(await Promise.race([allOf(lines), late]));
  } catch {
    return "";
  }
}

async function allOf(lines: AsyncIterable<LogLine>): Promise<readonly LogLine[]> {
  const all: LogLine[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

/** Lines without colors, empty ones left out; of a long text the end. */
export function errorText(lines: readonly LogLine[]): string {
  return Buffer.concat(lines.map(({ text }) => text))
    .toString()
    .replace(sgrSequence, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" | ")
    .slice(-maxErrorCharacters);
}

/** Sets the color or style of text in a terminal, ECMA-48 8.3.117. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequence begins with one
const sgrSequence = /\x1b\[[\d;]*m/g;
