// The files of secrets and configs that tasks of this node read. They are in memory, are written before the task starts,
// and removed when it has ended.
//
//   <memory folder>/<task id>/secret/<target>     a target below the usual folder
//   <memory folder>/<task id>/absolute/<number>   an absolute target, which only a container can have

import { chmodSync, chownSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { DependencyFile } from "../protocol/engine/dependency-files.ts";
import type { FetchDependency } from "./fetch-dependency.ts";
import type { MemoryFolder } from "./memory-folder.ts";

/** A file as it is on this machine. */
export type PlacedFile = DependencyFile & { readonly path: string };

export type PlaceResult =
  | { readonly ok: true; readonly files: readonly PlacedFile[] }
  | { readonly ok: false; readonly reason: string; readonly retry?: true };

/** `container`: each file is its spec's. `process`: only the agent's user can read it, as which the process runs. */
export type TaskFileReader = "container" | "process";

export class DependencyFiles {
  readonly #open: () => MemoryFolder;
  readonly #fetch: FetchDependency;
  #folder: MemoryFolder | null = null;

  /** @param open makes the folder; called at the first use */
  constructor(open: () => MemoryFolder, fetch: FetchDependency) {
    this.#open = open;
    this.#fetch = fetch;
  }

  /** Fetches the data and writes the files of a task. */
  async place(
    taskId: string,
    files: readonly DependencyFile[],
    reader: TaskFileReader,
    signal: AbortSignal,
  ): Promise<PlaceResult> {
    if (files.length === 0) return { ok: true, files: [] };
    const folder = this.#memory;
    if ("why" in folder) return { ok: false, reason: folder.why };
    const placed: PlacedFile[] = [];
    for (const [index, file] of files.entries()) {
      const fetched = await this.#fetch(file, signal);
      if (!fetched.ok) return fetched;
      // Removed while the data was on its way.
      if (signal.aborted) return { ok: false, reason: "stopped" };
      const path = join(folder.path, taskId, pathOf(file, index));
      try {
        write(path, fetched.data, reader === "process" ? "own" : file);
      } catch (error) {
        this.remove(taskId);
        const reason = `cannot write ${file.kind} ${file.name} into the node's memory: ${(error as Error).message}`;
        return { ok: false, reason };
      }
      placed.push({ ...file, path });
    }
    return { ok: true, files: placed };
  }

  /** Removes the files of a task that has ended. */
  remove(taskId: string): void {
    // A folder that was never opened has files of earlier agents only.
    const folder = this.#folder;
    if (folder === null || "why" in folder) return;
    rmSync(join(folder.path, taskId), { recursive: true, force: true });
    this.#removeIfEmpty(folder.path);
  }

  /** Removes what earlier agents left of tasks that do not run any more. */
  sweep(liveTaskIds: ReadonlySet<string>): void {
    const folder = this.#memory;
    if ("why" in folder) return;
    for (const taskId of readdirSync(folder.path))
      if (!liveTaskIds.has(taskId)) rmSync(join(folder.path, taskId), { recursive: true, force: true });
    this.#removeIfEmpty(folder.path);
  }

  #removeIfEmpty(path: string): void {
    if (readdirSync(path).length > 0) return;
    rmdirSync(path);
    this.#folder = null;
  }

  get #memory(): MemoryFolder {
    this.#folder ??= this.#open();
    return this.#folder;
  }
}

function pathOf({ kind, target }: DependencyFile, index: number): string {
  return isAbsolute(target) ? join("absolute", String(index)) : join(kind, target);
}

function write(path: string, data: Buffer, owner: DependencyFile | "own"): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Of an earlier attempt: a read-only file could not be written again.
  rmSync(path, { force: true });
  writeFileSync(path, data, { mode: 0o600, flag: "wx" });
  if (owner === "own") return;
  const { uid, gid, mode } = owner;
  // Only root can give a file away; one that everybody may read works without.
  const isForAll = (mode & 0o444) === 0o444;
  if (process.getuid?.() === 0 || !isForAll) chownSync(path, uid, gid);
  chmodSync(path, mode);
}
