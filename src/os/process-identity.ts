// The identity of a process: its id and its start time, because the system reuses ids.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

export const ProcessIdentity = z.object({
  pid: z.number().int().positive(),
  /** Start time in the system's own format: clock ticks since boot on Linux, `ps -o lstart=` elsewhere. */
  started: z.string(),
});
export type ProcessIdentity = Readonly<z.infer<typeof ProcessIdentity>>;

/** The running process with this id; null if it has ended, also if a zombie is left. */
export function identify(pid: number): ProcessIdentity | null {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** True if this process still runs. A later process with the same id does not count. */
export function isRunning(identity: ProcessIdentity): boolean {
  // Avoids a `ps` on systems without /proc.
  if (!exists(identity.pid)) return false;
  return identify(identity.pid)?.started === identity.started;
}

export type FoundProcess = {
  readonly identity: ProcessIdentity;
  /** True if it leads its process group. */
  readonly isLeader: boolean;
};

/**
 * Finds the processes with a matching environment variable (`NAME=value`). Linux only; none elsewhere.
 *
 * Used for processes whose parent was killed before it saved their ids.
 */
export function findByEnvironment(matches: (variable: string) => boolean): readonly FoundProcess[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const environment = readOrNull(`/proc/${name}/environ`)?.split("\0") ?? [];
    const identity = environment.some(matches) ? identify(Number(name)) : null;
    if (identity === null) return [];
    return [{ identity, isLeader: statFields(identity.pid)?.[2] === name }];
  });
}

/** Signals the process group that `pid` leads; does nothing if the group has ended. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has no process left.
  }
}

function startedOnLinux(pid: number): string | null {
  const fields = statFields(pid);
  if (fields === null || fields[0] === "Z" || fields[0] === "X") return null;
  return fields[19] ?? null;
}

/**
 * The fields of /proc/PID/stat from the third (state) on. The second, the program's name, may contain spaces.
 */
function statFields(pid: number): string[] | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  return stat === null ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function startedByPs(pid: number): string | null {
  const { status, stdout } = spawnSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
    encoding: "utf8",
  });
  const [state = "", ...started] = (stdout ?? "").trim().split(/\s+/);
  if (status !== 0 || state === "" || state.startsWith("Z")) return null;
  return started.join(" ");
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
