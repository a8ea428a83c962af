// This process as the verbs see it: standard streams, clock, and Ctrl-C.

import { setTimeout as wait } from "node:timers/promises";
import { commandLine, layout } from "../package/program-files.ts";
import type { Cli } from "./cli.ts";
import { exitCodes } from "./errors.ts";
import { writeFailure } from "./write-failure.ts";

// Set by bin/waggle; tasks and agents must not inherit it.
const command = layout === "sources" ? process.env.WAGGLE_COMMAND : commandLine(process.env);
delete process.env.WAGGLE_COMMAND;

/** True: errors of standard output are for the caller of `writeOut`. */
let isOutAwaited = false;
let interrupt: AbortSignal | null = null;

export const processCli: Cli = {
  out: process.stdout,
  err: process.stderr,
  writeOut,
  env: process.env,
  ...(command !== undefined && { command }),
  ...(process.stdin.isTTY ? { keys: process.stdin } : { input: process.stdin }),
  nowMs: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {}),
  onInterrupt: interruptSignal,
};

/** `waggle events | head` closes the pipe early, which is not a failure. A full disk is one. */
export function exitOnOutputError(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (isOutAwaited) return;
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    process.stderr.write(`waggle: cannot write to standard output: ${writeFailure(error)}\n`);
    process.exit(exitCodes.refused);
  });
}

function writeOut(text: string): Promise<void> {
  isOutAwaited = true;
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
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
