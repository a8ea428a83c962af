import { readFileSync } from "node:fs";
export type ProcessIdentity = { readonly pid: number; readonly started: string };
export function identify(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return { pid, started: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "" };
  } catch {
    return null;
  }
}
export function isSame(known: ProcessIdentity): boolean {
  return identify(known.pid)?.started === known.started;
}
