// The waggle command's process: standard streams, Ctrl-C, and the exit code.

import { enableCompileCache } from "node:module";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Cli } from "./cli.ts";

// Keeps the stripped and compiled sources for the next start: half of what a short command takes. In the package's
// own folder, because the usual one is shared with the other users of the machine. bin/waggle sets it before this
// file is read, for this file; tasks and agents do not inherit it.
const cacheDir = fileURLToPath(new URL("../../node_modules/.cache/waggle", import.meta.url));
enableCompileCache(cacheDir);
if (process.env.NODE_COMPILE_CACHE === cacheDir) delete process.env.NODE_COMPILE_CACHE;

let interrupt: AbortSignal | null = null;

const cli: Cli = {
  out: process.stdout,
  err: process.stderr,
  env: process.env,
  ...(process.stdin.isTTY && { keys: process.stdin }),
  nowMs: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {}),
  onInterrupt: takeInterrupts,
};

// `waggle events | head` closes the pipe early: that is the end, not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

// Imported only now, so that the compile cache holds for all of it.
const { run } = await import("./program.ts");
process.exitCode = await run(process.argv.slice(2), cli);

function takeInterrupts(): AbortSignal {
  if (interrupt === null) {
    const controller = new AbortController();
    // Once: a second Ctrl-C ends the process at once, should the end after the first one take long.
    process.once("SIGINT", () => controller.abort());
    interrupt = controller.signal;
  }
  return interrupt;
}
