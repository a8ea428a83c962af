// A file that only its owner may read: written atomically, one writer at a time.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { refused } from "./errors.ts";

const privateFileMode = 0o600;
const privateFolderMode = 0o700;
/** Bits of the group and of others. */
const sharedBits = 0o077;

/** A writer holds the lock for milliseconds; one that is older than this was killed. */
const staleLockMs = 10_000;
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
 * @param change gets null if there is no file
 * @throws CliError if it cannot be written; the old content is still there
 */
export async function changePrivateFile(
  path: string,
  warn: (text: string) => void,
  change: (text: string | null) => string,
): Promise<void> {
  try {
    await makeFolder(dirname(path));
    await chmod(dirname(path), privateFolderMode);
    const file = await realpath(path).catch(() => path);
    const lock = `${file}.lock`;
    await acquire(lock);
    try {
      const text = change(await readPrivateFile(file, warn));
      const draft = `${file}.${randomUUID()}.new`;
      try {
        await writeFile(draft, text, { mode: privateFileMode, flag: "wx" });
        await rename(draft, file);
      } catch (error) {
        // Part of a draft would take space on a disk that is full.
        await rm(draft, { force: true });
        throw error;
      }
    } finally {
      await rm(lock, { force: true });
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason = code === "EROFS" ? "the file system is read-only" : message;
    throw refused(`cannot write ${path}: ${reason}`, "XDG_CONFIG_HOME=DIR keeps it in another folder");
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

async function acquire(lock: string): Promise<void> {
  for (;;) {
    try {
      return await (await open(lock, "wx", privateFileMode)).close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const ageMs = await stat(lock).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (ageMs > staleLockMs) await rm(lock, { force: true });
      else await wait(lockPollMs);
    }
  }
}
