// The waggle command's process: standard streams, Ctrl-C, and the exit code.

import { enableCompileCache } from "node:module";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Cli } from "./cli.ts";

// Caches the stripped and compiled sources, which halves the time of a short command. The cache is in the
// package's own folder, because other users of the machine share the default one. bin/waggle sets
// NODE_COMPILE_CACHE, so that this file is cached too; tasks and agents must not inherit the variable.
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
  onInterrupt: interruptSignal,
};

// `waggle events | head` closes the pipe early, which is not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

// Imported after the compile cache is enabled, so that it covers these modules.
const { run } = await import("./program.ts");
process.exitCode = await run(process.argv.slice(2), cli);

function interruptSignal(): AbortSignal {
  if (interrupt === null) {
    const controller = new AbortController();
    // Once: a second Ctrl-C ends the process at once.
    process.once("SIGINT", () => controller.abort());
    interrupt = controller.signal;
  }
  return interrupt;
}
