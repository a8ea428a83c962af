// Which process a process id means: the id and when it started, since ids come round again.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

export const ProcessIdentity = z.object({
  pid: z.number().int().positive(),
  /** Start time in the system's own format: clock ticks since boot on Linux, `ps -o lstart=` elsewhere. */
  started: z.string(),
});
export type ProcessIdentity = Readonly<z.infer<typeof ProcessIdentity>>;

/** The running process of this id; null when there is none, or only its zombie. */
export function identify(pid: number): ProcessIdentity | null {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** Whether that very process still runs. */
export function isRunning(known: ProcessIdentity): boolean {
  // Spares a `ps` per look where there is no /proc.
  if (!exists(known.pid)) return false;
  return identify(known.pid)?.started === known.started;
}

/**
 * The process group leader started with this variable in its environment. Linux only; null elsewhere.
 *
 * Finds a task whose agent was killed between starting it and writing down its process id.
 */
export function findByEnvironment(variable: string): ProcessIdentity | null {
  if (process.platform !== "linux") return null;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = readOrNull(`/proc/${name}/environ`)?.split("\0");
    if (!environment?.includes(variable)) continue;
    const isLeader = statFields(Number(name))?.[2] === name;
    const found = isLeader ? identify(Number(name)) : null;
    if (found !== null) return found;
  }
  return null;
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

/** Fields of /proc/PID/stat from the third (state) on: the second, the program's name, may hold anything. */
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
