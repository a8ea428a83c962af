// The life of `waggle top` on a terminal: a reading every so often, a frame after each and after each key.

import type { Cli } from "../cli.ts";
import { CliError } from "../errors.ts";
import { frame } from "./frame.ts";
import { press, readKeys, showsTasks, type TopState } from "./keys.ts";
import { coloured, plain } from "./paint.ts";
import type { Reading } from "./rows.ts";
import { type KeySource, Screen } from "./screen.ts";
import type { Read } from "./top.ts";

/** Waits so many times what a reading takes: a large mesh is not kept busy by who looks at it. */
const restShare = 4;

type Watching = {
  readonly cli: Cli;
  readonly keys: KeySource;
  readonly read: Read;
  readonly intervalMs: number;
};

/** Resolves when somebody quits: true for an interrupt, false for q. What cannot be read is said, and tried again. */
export async function watch(
  { cli, keys, read, intervalMs }: Watching,
  first: Reading,
  start: TopState,
): Promise<boolean> {
  const paint = cli.env.NO_COLOR ? plain : coloured;
  const quit = new AbortController();
  let [reading, state, notice] = [first, start, ""];
  let interrupted = false;
  let tookMs = 0;
  const show = () => screen.show(frame(reading, state, screen.size, paint, notice));
  const screen = new Screen(cli.out, keys, {
    resized: show,
    keys: (text) => {
      for (const key of readKeys(text)) {
        const next = press(state, key);
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
      await cli.sleep(Math.max(intervalMs, tookMs * restShare), quit.signal);
      if (quit.signal.aborted || state.paused) continue;
      const beganMs = cli.nowMs();
      try {
        reading = await read(showsTasks(state));
        notice = "";
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        notice = `As of ${new Date(reading.atMs).toISOString().slice(11, 19)} UTC: ${error.message}; trying again`;
      }
      tookMs = cli.nowMs() - beganMs;
      if (!quit.signal.aborted) show();
    }
  } finally {
    screen.close();
  }
  return interrupted;
}
