// A lock file that one process holds at a time. The lock of an ended process is stale and is taken over.

import { rmSync, writeFileSync } from "node:fs";
import { readJsonFile } from "./files.ts";
import { identify, isRunning, ProcessIdentity } from "./process-identity.ts";

/** Attempts to replace a stale lock: another process may be replacing it at the same time. */
const maxLockAttempts = 3;

/** The lock, or the process that holds it; `holderPid` is null if it is unknown. */
type LockResult =
  | { readonly isAcquired: true; readonly release: () => void }
  | { readonly isAcquired: false; readonly holderPid: number | null };

/** Acquires the lock file `path` for this process. `release` is safe to call twice. */
export function acquireLock(path: string): LockResult {
  const self = identify(process.pid);
  for (let attempt = 0; attempt < maxLockAttempts; attempt++) {
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
