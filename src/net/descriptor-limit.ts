// The limit of file descriptors of this process.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The limit if the system states none. */
export const assumedDescriptors = 10_240;

/**
 * The limit of open descriptors of this process, which its children inherit: Node raises the soft limit to the
 * hard one at its start. Null if it is unknown or unlimited.
 */
export function descriptorLimit(): number | null {
  const limit = Number.parseInt(statedLimit(), 10);
  return Number.isNaN(limit) ? null : limit;
}

/** Of /proc on Linux, elsewhere of the shell, which has the limit of its parent. */
function statedLimit(): string {
  try {
    return /^Max open files +(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? "";
  } catch {
    return spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout ?? "";
  }
}
