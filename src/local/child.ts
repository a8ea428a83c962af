// A child process of the mesh. It has its own process group, so that Ctrl-C reaches only `waggle up`, which
// then stops its children in order. It ends when the IPC channel to `waggle up` closes, however that happens.

import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The first message of a child: it is ready, or the reason why it failed. */
export type ChildReady<T> = { readonly ready: T } | { readonly failed: string };

export type MeshChild<T> = {
  readonly process: ChildProcess;
  readonly ready: T;
  /** Resolves with the exit code or the signal's name. */
  readonly exited: Promise<number | string>;
};

/**
 * Starts `module` (in this folder) and waits for its first message.
 *
 * @param name identifies the child in its environment: `WAGGLE_CHILD=<state folder>:<name>`
 * @param input the first message to the child; JSON data
 * @param logFile receives stdout and stderr
 * @throws Error with the child's reason if it fails to start
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
    exited.then((exit) => reject(new Error(`${lastLine(logFile)} (exited with ${exit}; see ${logFile})`)));
  });
  return { process: child, ready, exited };
}

/** The last line of a log. */
function lastLine(logFile: string): string {
  return readFileSync(logFile, "utf8").trimEnd().split("\n").at(-1) ?? "";
}

/**
 * Runs the child's side: receives the input, starts, and reports it. Calls `stop` on SIGTERM or when the
 * parent has ended, and then exits.
 */
export function runChild<Input, Ready>(
  start: (input: Input) => Promise<{ ready: Ready; stop: () => Promise<void> }>,
): void {
  process.once("message", async (input: Input) => {
    try {
      const { ready, stop } = await start(input);
      const stopOnce = runOnce(async () => {
        await stop();
        process.exit(0);
      });
      process.once("disconnect", stopOnce);
      process.on("SIGTERM", stopOnce);
      process.send?.({ ready } satisfies ChildReady<Ready>);
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      process.send?.({ failed } satisfies ChildReady<Ready>, () => process.exit(1));
    }
  });
}

function runOnce(work: () => Promise<void>): () => void {
  let hasRun = false;
  return () => {
    if (hasRun) return;
    hasRun = true;
    void work();
  };
}
