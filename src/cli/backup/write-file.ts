// Writes the file of a backup beside its place, for its owner only, and puts it there when it is whole.

import { randomUUID } from "node:crypto";
import { type FileHandle, link, open, rename, rm, stat } from "node:fs/promises";
import type { Cli } from "../cli.ts";
import { type CliError, refused, usageError } from "../errors.ts";
import { writeFailure } from "../write-failure.ts";

const fileMode = 0o600;

/** A file that is not in its place yet. */
export type DraftFile = {
  readonly write: (text: string) => Promise<void>;
  /** Puts it in its place. */
  readonly finish: () => Promise<void>;
  /** Removes it. After `finish`: does nothing. */
  readonly discard: () => Promise<void>;
};

/** @throws CliError if it cannot be written; `finish` also if the place was taken meanwhile and `force` is false */
export async function draftFile(path: string, force: boolean): Promise<DraftFile> {
  const draft = `${path}.${randomUUID()}.new`;
  let file: FileHandle | null = await open(draft, "wx", fileMode).catch((error) => {
    throw cannotWrite(path, error);
  });
  const close = async () => {
    await file?.close();
    file = null;
  };
  const discard = async () => {
    await close().catch(() => {});
    await rm(draft, { force: true });
  };
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      await discard();
      throw (error as NodeJS.ErrnoException).syscall === undefined ? error : cannotWrite(path, error);
    }
  };
  return {
    write: (text) => attempt(async () => void (await file?.writeFile(text))),
    finish: () =>
      attempt(async () => {
        await file?.sync();
        await close();
        if (!force) await placeNew(draft, path);
        else await rename(draft, path);
      }),
    discard,
  };
}

/** Standard output as a place. `write` waits for the reader. */
export function standardOutput({ out, writeOut = async (text) => void out.write(text) }: Cli): DraftFile {
  const write = (text: string) =>
    writeOut(text).catch((error) => {
      throw refused(
        `cannot write the backup to standard output: ${writeFailure(error)}`,
        "what was written is not a whole backup",
      );
    });
  return { write, finish: async () => {}, discard: async () => {} };
}

/** @throws CliError if the place is taken and `force` is false, or if it can have no file */
export async function checkPlace(path: string, force: boolean): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null) return;
  if (found.isDirectory())
    throw usageError(`${path} is a folder`, `name a file in it: ${path}/waggle.backup`);
  if (!found.isFile()) throw usageError(`${path} is not a regular file`, "- writes to standard output");
  if (!force) throw exists(path);
}

/** A link refuses a place that was taken meanwhile. Not all file systems have links. */
async function placeNew(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
    await rm(draft);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw exists(path);
    await rename(draft, path);
  }
}

function exists(path: string): CliError {
  return refused(`${path} exists`, "name another file, or overwrite it with --force");
}

function cannotWrite(path: string, error: unknown): CliError {
  return refused(
    `cannot write ${path}: ${writeFailure(error as NodeJS.ErrnoException, path)}`,
    "nothing was written; name a file elsewhere",
  );
}
