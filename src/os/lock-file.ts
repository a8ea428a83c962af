// A lock file that one process holds at a time. The lock of an ended process is stale and is taken over.

import { linkSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from "node:fs";
import { readJsonFile, writeError } from "./files.ts";
import { identify, isRunning, ProcessIdentity } from "./process-identity.ts";

/** Attempts to replace a stale lock: another process may be replacing it at the same time. */
const maxLockAttempts = 5;

/** The lock, or the process that holds it; `holderPid` is null if it is unknown. */
type LockResult = HeldLock | { readonly isAcquired: false; readonly holderPid: number | null };

export type HeldLock = {
  readonly isAcquired: true;
  /** Removes the file, if it is still this process's lock. Safe to call twice. */
  readonly release: () => void;
  /** False if the file was removed or replaced, for example with the folder that it is in. */
  readonly isHeld: () => boolean;
};

/**
 * Acquires the lock file `path` for this process.
 *
 * @param note JSON data about the process, for readers of the file
 * @throws the system's error if the file cannot be written
 */
export function acquireLock(path: string, note: object = {}): LockResult {
  const self = identify(process.pid);
  if (self === null) throw new Error(`cannot identify this process (${process.pid}) to lock ${path}`);
  for (let attempt = 0; attempt < maxLockAttempts; attempt++) {
    if (createLockFile(path, { ...note, ...self })) return heldLock(path);
    const holder = lockHolder(path);
    if (holder !== null) return { isAcquired: false, holderPid: holder.pid };
    removeStaleLock(path);
  }
  return { isAcquired: false, holderPid: null };
}

function heldLock(path: string): HeldLock {
  const own = statSync(path);
  const isHeld = (): boolean => isSameFile(path, own);
  return {
    isAcquired: true,
    isHeld,
    release: () => {
      if (isHeld()) rmSync(path, { force: true });
    },
  };
}

/** Needs no file descriptor, because a process that has used all of them still holds its lock. */
function isSameFile(path: string, { dev, ino, mtimeMs }: Stats): boolean {
  try {
    const found = statSync(path);
    return found.dev === dev && found.ino === ino && found.mtimeMs === mtimeMs;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}

/** The file appears with its content, so that no process sees a lock without a holder. */
function createLockFile(path: string, self: ProcessIdentity): boolean {
  const draft = `${path}.${self.pid}.new`;
  try {
    writeFileSync(draft, JSON.stringify(self), { mode: 0o600 });
    linkSync(draft, path);
    return true;
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code === "EEXIST") return false;
    throw writeError(failure, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Moves the lock away before it is removed: if another process has replaced the stale lock meanwhile, its
 * lock is put back.
 */
function removeStaleLock(path: string): void {
  const moved = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, moved);
    if (lockHolder(moved) !== null) linkSync(moved, path);
  } catch (error) {
    // Another process has removed or created the lock; the next attempt reads it.
    if (!["ENOENT", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    rmSync(moved, { force: true });
  }
}

/** The running process that holds a lock; null if none does. */
export function lockHolder(path: string): ProcessIdentity | null {
  const holder = readJsonFile(path, ProcessIdentity);
  return holder !== null && isRunning(holder) ? holder : null;
}
