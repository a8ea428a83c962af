// The life of `waggle top` on a terminal: a reading every so often, a frame after each and after each key.

import type { Cli, KeySource } from "../cli.ts";
import { CliError } from "../errors.ts";
import { applyKey, readKeys, showsTasks, type TopState } from "./keys.ts";
import { utcTime } from "./numbers.ts";
import { colourPainter, plainPainter } from "./paint.ts";
import type { TopReading } from "./rows.ts";
import { screenLines } from "./screen.ts";
import { Terminal } from "./terminal.ts";
import type { TopReader } from "./top.ts";

/** Waits so many times what a reading takes: a large mesh is not kept busy by who looks at it. */
const restFactor = 4;

type WatchOptions = {
  readonly cli: Cli;
  readonly keys: KeySource;
  readonly read: TopReader;
  readonly intervalMs: number;
};

/** Resolves when somebody quits: true for an interrupt, false for q. What cannot be read is said, and tried again. */
export async function watchTop(
  { cli, keys, read, intervalMs }: WatchOptions,
  first: TopReading,
  start: TopState,
): Promise<boolean> {
  const paint = cli.env.NO_COLOR ? plainPainter : colourPainter;
  const quit = new AbortController();
  let [reading, state, notice] = [first, start, ""];
  let interrupted = false;
  let tookMs = 0;
  const show = () => screen.show(screenLines(reading, state, screen.size, paint, notice));
  const screen = new Terminal(cli.out, keys, {
    onResize: show,
    onKeys: (text) => {
      for (const key of readKeys(text)) {
        const next = applyKey(state, key);
        if (next === null) {
          interrupted = key === "ctrl-c";
          return quit.abort();
        }
        state = next;
      }
      show();
    },
  });
  const outside = cli.onInterrupt();
  outside.addEventListener("abort", () => {
    interrupted = true;
    quit.abort();
  });
  try {
    show();
    while (!quit.signal.aborted) {
      await cli.sleep(Math.max(intervalMs, tookMs * restFactor), quit.signal);
      if (quit.signal.aborted || state.isPaused) continue;
      const beganMs = cli.nowMs();
      try {
        reading = await read(showsTasks(state));
        notice = "";
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        notice = `As of ${utcTime(reading.atMs)}: ${error.message}; trying again`;
      }
      tookMs = cli.nowMs() - beganMs;
      if (!quit.signal.aborted) show();
    }
  } finally {
    screen.close();
  }
  return interrupted;
}
