// A lock file: one process at a time has a folder. What a process that is gone left behind counts for nothing.

import { rmSync, writeFileSync } from "node:fs";
import { readJsonFile } from "./files.ts";
import { identify, isRunning, ProcessIdentity } from "./process-identity.ts";

/** Times a stale lock is removed and tried again: another process may be doing the same. */
const maxLockAttempts = 3;

/** The lock, or who has it; `holderPid` is null when that cannot be told. */
type LockResult =
  | { readonly isAcquired: true; readonly release: () => void }
  | { readonly isAcquired: false; readonly holderPid: number | null };

/** Takes the lock file `path` for this process. `release` may be called twice. */
export function acquireLock(path: string): LockResult {
  const self = identify(process.pid);
  for (let tries = 0; tries < maxLockAttempts; tries++) {
    if (createLockFile(path, JSON.stringify(self))) {
      return { isAcquired: true, release: () => rmSync(path, { force: true }) };
    }
    // A file that cannot be read, or was written in part, has no holder.
    const holder = readJsonFile(path, ProcessIdentity);
    if (holder !== null && isRunning(holder)) return { isAcquired: false, holderPid: holder.pid };
    rmSync(path, { force: true });
  }
  return { isAcquired: false, holderPid: null };
}

function createLockFile(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
