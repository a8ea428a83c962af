// A file that only its owner may read: written atomically, one writer at a time.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { writeError } from "../os/files.ts";
import { acquireLock, type HeldLock } from "../os/lock-file.ts";
import { refused } from "./errors.ts";

const privateFileMode = 0o600;
const privateFolderMode = 0o700;
/** Bits of the group and of others. */
const sharedBits = 0o077;

/** A writer holds the lock for milliseconds. One that holds it for longer is stopped, or its disk is. */
const maxLockWaitMs = 10_000;
const lockPollMs = 20;

/**
 * Reads a file; null if it does not exist. Takes the permissions of others away first.
 *
 * @param warn receives a sentence if others could read the file until now
 * @throws CliError if it cannot be read, or if others can read it and that cannot be changed
 */
export async function readPrivateFile(path: string, warn: (text: string) => void): Promise<string | null> {
  try {
    const { mode } = await stat(path);
    if ((mode & sharedBits) !== 0) {
      await chmod(path, privateFileMode);
      const was = (mode & 0o777).toString(8);
      warn(
        `${path} was open to other users of this machine (mode ${was}) and is now for its owner only; replace the tokens in it if others may have read them`,
      );
    }
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    if (syscall === "chmod")
      throw refused(
        `${path} is open to other users of this machine: ${message}`,
        `run chmod 600 ${path} as its owner`,
      );
    throw refused(`cannot read ${path}: ${message}`);
  }
}

/**
 * Replaces a file by what `change` makes of its content, while no other command does. A symbolic link stays one.
 *
 * @param change gets null if there is no file; called again if another process has taken the lock
 * @param maxWaitMs how long another process may hold the lock
 * @throws CliError if it cannot be written; the old content is still there
 */
export async function changePrivateFile(
  path: string,
  warn: (text: string) => void,
  change: (text: string | null) => string,
  maxWaitMs = maxLockWaitMs,
): Promise<void> {
  try {
    await makeFolder(dirname(path));
    await chmod(dirname(path), privateFolderMode);
    const file = await realpath(path).catch(() => path);
    while (!(await changeOnce(file, warn, change, maxWaitMs))) {}
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    const { message } = writeError(error as NodeJS.ErrnoException, path);
    throw refused(message, "XDG_CONFIG_HOME=DIR keeps it in another folder");
  }
}

/** One level after the other: Node's `recursive` does not end where the system refuses a folder with ENOENT, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: privateFolderMode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || existsSync(dirname(path))) throw error;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: privateFolderMode });
  }
}

/** @returns false if another process has taken the lock meanwhile, and nothing is written */
async function changeOnce(
  file: string,
  warn: (text: string) => void,
  change: (text: string | null) => string,
  maxWaitMs: number,
): Promise<boolean> {
  const lock = await waitForLock(file, maxWaitMs);
  const draft = `${file}.${randomUUID()}.new`;
  try {
    await writeFile(draft, change(await readPrivateFile(file, warn)), { mode: privateFileMode, flag: "wx" });
    // Another machine that shares the folder does not know this machine's processes, and takes their locks over.
    if (!lock.isHeld()) return false;
    await rename(draft, file);
    return true;
  } finally {
    // Part of a draft would take space on a disk that is full.
    await rm(draft, { force: true });
    lock.release();
  }
}

async function waitForLock(file: string, maxWaitMs: number): Promise<HeldLock> {
  const untilMs = performance.now() + maxWaitMs;
  for (;;) {
    const lock = acquireLock(`${file}.lock`);
    if (lock.isAcquired) return lock;
    if (performance.now() >= untilMs) {
      const holder = lock.holderPid === null ? "another process" : `process ${lock.holderPid}`;
      throw refused(
        `${file} is being changed by ${holder}, for more than ${maxWaitMs / 1_000} s`,
        "end that process, and run this again",
      );
    }
    await wait(lockPollMs);
  }
}
