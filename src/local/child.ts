// A child process of the mesh: in a process group of its own, so that Ctrl-C reaches only `waggle up` and everything
// stops in order; and tied to it by an IPC channel, so that nothing outlives it, however it ends.

import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The first message of a child: it serves now, or it cannot and why. */
export type ChildReady<T> = { readonly ready: T } | { readonly failed: string };

export type MeshChild<T> = {
  readonly process: ChildProcess;
  readonly ready: T;
  /** Resolves with the exit code or the signal's name. */
  readonly exited: Promise<number | string>;
};

/**
 * Starts `module` (beside this file) and waits for its first message.
 *
 * @param name says which child it is, in its environment: `WAGGLE_CHILD=<state folder>:<name>`
 * @param input what the child gets as its first message; plain data
 * @param logFile takes stdout and stderr
 * @throws Error with the child's own reason when it cannot start
 */
export async function startChild<T>(
  module: string,
  name: string,
  input: object,
  logFile: string,
): Promise<MeshChild<T>> {
  const log = openSync(logFile, "a", 0o600);
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), [], {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
    env: { ...process.env, WAGGLE_CHILD: name },
  });
  closeSync(log);
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  child.send(input);
  const ready = await new Promise<T>((resolve, reject) => {
    child.once("message", (message: ChildReady<T>) => {
      if ("ready" in message) resolve(message.ready);
      else reject(new Error(message.failed));
    });
    child.once("error", reject);
    exited.then((how) => reject(new Error(`${lastLine(logFile)} (ended with ${how}; see ${logFile})`)));
  });
  return { process: child, ready, exited };
}

/** What a child that could not start said last. */
function lastLine(logFile: string): string {
  return readFileSync(logFile, "utf8").trimEnd().split("\n").at(-1) ?? "";
}

/** The child's side: takes the input, starts, says so; calls `stop` when the parent asks or is gone. */
export function runChild<Input, Ready>(
  start: (input: Input) => Promise<{ ready: Ready; stop: () => Promise<void> }>,
): void {
  process.once("message", async (input: Input) => {
    try {
      const { ready, stop } = await start(input);
      const end = runOnce(async () => {
        await stop();
        process.exit(0);
      });
      process.once("disconnect", end);
      process.on("SIGTERM", end);
      process.send?.({ ready } satisfies ChildReady<Ready>);
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      process.send?.({ failed } satisfies ChildReady<Ready>, () => process.exit(1));
    }
  });
}

function runOnce(work: () => Promise<void>): () => void {
  let begun = false;
  return () => {
    if (begun) return;
    begun = true;
    void work();
  };
}
