// This process as the verbs see it: standard streams, clock, and Ctrl-C.

import { setTimeout as wait } from "node:timers/promises";
import { commandLine, layout } from "../package/program-files.ts";
import type { Cli } from "./cli.ts";

// Set by bin/waggle; tasks and agents must not inherit it.
const command = layout === "sources" ? process.env.WAGGLE_COMMAND : commandLine(process.env);
delete process.env.WAGGLE_COMMAND;

let interrupt: AbortSignal | null = null;

export const processCli: Cli = {
  out: process.stdout,
  err: process.stderr,
  env: process.env,
  ...(command !== undefined && { command }),
  ...(process.stdin.isTTY ? { keys: process.stdin } : { input: process.stdin }),
  nowMs: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {}),
  onInterrupt: interruptSignal,
};

/** `waggle events | head` closes the pipe early, which is not a failure. */
export function exitOnClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}

function interruptSignal(): AbortSignal {
  if (interrupt === null) {
    const controller = new AbortController();
    // Once: a second Ctrl-C ends the process at once.
    process.once("SIGINT", () => controller.abort());
    interrupt = controller.signal;
  }
  return interrupt;
}
