// How Miniflare starts workerd here, and how this process learns that workerd has exited, which Miniflare
// does not report.

import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { createRequire } from "node:module";
import { workerdLauncher, workerdModule } from "../package/program-files.ts";
import { databaseLockFile } from "./state-folder.ts";

const launcher = workerdLauncher();

/** The exit status by which workerd.sh says that another workerd has the database open. */
export const databaseInUseCode = 75;

type WorkerdObserver = {
  readonly onSpawn: (pid: number) => void;
  /** Receives the exit code or the signal's name. */
  readonly onExit: (exit: number | string) => void;
};

/**
 * Makes Miniflare start workerd by workerd.sh, with the lock of the state folder's database.
 *
 * @param stateDir null for a process without a database
 * @param observer called for each workerd of this process
 * @see https://nodejs.org/api/diagnostics_channel.html, channel `child_process`
 */
export function launchWorkerd(stateDir: string | null, observer: WorkerdObserver): void {
  Object.assign(process.env, {
    MINIFLARE_WORKERD_PATH: launcher,
    WAGGLE_WORKERD: workerdProgram(),
    WAGGLE_WORKERD_PARENT: String(process.pid),
    WAGGLE_DATABASE_LOCK: stateDir === null ? "" : databaseLockFile(stateDir),
  });
  subscribe("child_process", (message) => {
    const { process: child } = message as { process: ChildProcess };
    // The channel reports the child before it has a program and an id.
    child.once("spawn", () => {
      if (child.spawnfile !== launcher || child.pid === undefined) return;
      observer.onSpawn(child.pid);
      child.once("exit", (code, signal) => observer.onExit(code ?? signal ?? "unknown"));
    });
  });
}

/**
 * The path of the workerd that Miniflare is made for; other packages of the repository bring other versions.
 *
 * @throws Error if it is not installed, or does not exist for this machine
 */
export function workerdProgram(): string {
  const require = createRequire(import.meta.url);
  return (require(workerdModule()) as { default: string }).default;
}
