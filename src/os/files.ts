// Files of a state folder: atomic writes, and JSON that is validated as it is read.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import type { z } from "zod";

/**
 * Writes a file by renaming a draft over it, so that a reader sees either the old or the new content.
 *
 * @param mode permissions; by default only the owner can read the file
 * @throws the system's error, with a message that names the file; the old content is still there
 */
export function writeFileAtomically(path: string, text: string | Uint8Array, mode = 0o600): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    writeFileSync(draft, text, { mode });
    renameSync(draft, path);
  } catch (error) {
    // Part of a draft would take space on a disk that is full.
    rmSync(draft, { force: true });
    throw writeError(error as NodeJS.ErrnoException, path);
  }
}

const writeErrorReasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the disk quota is used up; free some space",
  ENOENT: "its folder does not exist",
  EROFS: "the file system is read-only",
};

/** Names the file and the reason of a failed write, in place of the draft or lock beside it. It stays a system error. */
export function writeError(error: NodeJS.ErrnoException, path: string): NodeJS.ErrnoException {
  const { code = "", errno = 0 } = error;
  const [, known = error.message] = getSystemErrorMap().get(errno) ?? [];
  error.message = `cannot write ${path}: ${writeErrorReasons[code] ?? `${known} (${code})`}`;
  return error;
}

const readErrorReasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is a file",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  EISDIR: "it is a folder",
  ELOOP: "it is a link that leads to itself",
  ENAMETOOLONG: "its name is too long",
};

/** Why a file that the user named cannot be read, in words. */
export function readFailure({ code = "", message }: NodeJS.ErrnoException): string {
  return readErrorReasons[code] ?? message;
}

/** The validated content of a JSON file; null if it is missing, unreadable or invalid. */
export function readJsonFile<T>(path: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}
