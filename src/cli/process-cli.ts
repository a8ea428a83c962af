// This process as the verbs see it: standard streams, clock, and signals to end.

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
/** Ctrl-C, a stop by a supervisor or cron, and the end of the terminal. */
const interruptSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
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
    // Once: a second signal ends the process at once.
    const onSignal = () => {
      for (const name of interruptSignals) process.off(name, onSignal);
      controller.abort();
    };
    for (const name of interruptSignals) process.on(name, onSignal);
    interrupt = controller.signal;
  }
  return interrupt;
}
