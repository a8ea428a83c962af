// A lock file: one process at a time has a folder. What a process that is gone left behind counts for nothing.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { identify, isRunning } from "./process-identity.ts";

const Holder = z.object({ pid: z.number().int().positive(), started: z.string() });

/** Times a stale lock is removed and tried again: another process may be doing the same. */
const maxTries = 3;

/** The lock, or who has it; `holderPid` is null when that cannot be told. */
export type Lock =
  | { readonly taken: true; readonly release: () => void }
  | { readonly taken: false; readonly holderPid: number | null };

/** Takes the lock file `path` for this process. `release` may be called twice. */
export function takeLock(path: string): Lock {
  const self = identify(process.pid);
  for (let tries = 0; tries < maxTries; tries++) {
    if (createNew(path, JSON.stringify(self))) {
      return { taken: true, release: () => rmSync(path, { force: true }) };
    }
    const holder = readHolder(path);
    if (holder !== null && isRunning(holder)) return { taken: false, holderPid: holder.pid };
    rmSync(path, { force: true });
  }
  return { taken: false, holderPid: null };
}

function readHolder(path: string): z.infer<typeof Holder> | null {
  try {
    return Holder.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Unreadable or half-written: nobody can be held to it.
    return null;
  }
}

function createNew(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
