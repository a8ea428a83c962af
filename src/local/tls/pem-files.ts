// The files at the paths of `--tls`: PEM files, and folders with such files and folders.

import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join, sep } from "node:path";
import type { PemFile, PemProblem } from "./certificate-pairs.ts";

/** A folder of a mistake, such as `/`, must not be read whole. */
const maxFiles = 10_000;
const maxPemBytes = 1_048_576;

/** A file that is there. */
export type ListedFile = {
  readonly path: string;
  /** Changes with the file. */
  readonly print: string;
  readonly mode: number;
  readonly bytes: number;
  /** Why it is not read; null: nothing is known against it. */
  readonly problem: string | null;
};

/** The files at paths, two folders deep; without those that do not exist. Names that begin with a dot are left out. */
export function listPemFiles(paths: readonly string[]): readonly ListedFile[] {
  const listed: ListedFile[] = [];
  const visit = (path: string, depth: number): void => {
    if (listed.length >= maxFiles) return;
    try {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) return;
      if (!stat.isDirectory()) listed.push(listedFile(path, stat));
      else if (depth > 0)
        for (const name of readdirSync(path)) if (!name.startsWith(".")) visit(join(path, name), depth - 1);
    } catch (error) {
      // A problem of this path alone, such as links in a circle, or a folder of another user.
      const { message } = error as Error;
      listed.push({ path, mode: 0, bytes: 0, print: message, problem: message });
    }
  };
  for (const path of paths) visit(path, 2);
  return listed.sort((one, other) => (one.path < other.path ? -1 : 1));
}

function listedFile(path: string, stat: Stats): ListedFile {
  const { mode, size, ino, mtimeMs, ctimeMs } = stat;
  // Reading a pipe would wait for its writer.
  const problem = stat.isFile() ? null : "it is no regular file";
  return { path, mode, bytes: size, print: [ino, size, mtimeMs, ctimeMs, mode].join(), problem };
}

/** True if a file is there, or in a folder that cannot be read. */
export function isListed(path: string, listed: readonly ListedFile[]): boolean {
  return listed.some(
    (file) => file.path === path || (file.problem !== null && path.startsWith(file.path + sep)),
  );
}

export function readPemFiles(listed: readonly ListedFile[]) {
  const files: PemFile[] = [];
  const problems: PemProblem[] = [];
  for (const { path, mode, bytes, problem } of listed) {
    if (problem !== null) {
      problems.push({ path, why: problem });
      continue;
    }
    if (bytes > maxPemBytes) continue;
    try {
      files.push({ path, mode, text: readFileSync(path, "utf8") });
    } catch (error) {
      problems.push({ path, why: (error as Error).message });
    }
  }
  return { files, problems };
}
