// Watches the state folder of a running mesh: that it and its database are still there, that its disk has
// space, and that its logs stay short.

import { readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { rotateLog } from "../agent/log-file.ts";
import { databaseFiles, logFolder } from "./state-folder.ts";

const stateWatchMs = 1_000;
const meshLogRotateMs = 30_000;

/** Below this the disk counts as full: SQLite cannot append to its log and extend the database any more. */
const fullBelowBytes = 512 * 1024;
/** From here on a full disk has space again. Higher than the other, so that the messages do not alternate. */
const freeFromBytes = 2 * fullBelowBytes;

export type StateWatch = { readonly stop: () => void };

type StateWatchOptions = {
  readonly stateDir: string;
  /** False once this mesh's lock file is gone. */
  readonly isLocked: () => boolean;
  /** Called once, with the reason, when the folder is not this mesh's any more, or its database is gone. */
  readonly onLost: (reason: string) => void;
  readonly log: (line: string) => void;
};

export function watchStateFolder({ stateDir, isLocked, onLost, log }: StateWatchOptions): StateWatch {
  let isFull = false;
  const database = databaseFiles(stateDir);
  const check = setInterval(() => {
    const missing = isLocked() ? database.find(isMissing) : stateDir;
    if (missing !== undefined) {
      stop();
      onLost(lostReason(missing));
      return;
    }
    const freeBytes = availableBytes(stateDir);
    if (freeBytes === null || isFull === isDiskFull(isFull, freeBytes)) return;
    isFull = !isFull;
    log(isFull ? fullDiskText(stateDir) : `the disk of ${stateDir} has space again; changes are saved again`);
  }, stateWatchMs);
  const rotation = setInterval(() => rotateLogs(logFolder(stateDir), log), meshLogRotateMs);
  const stop = (): void => {
    clearInterval(check);
    clearInterval(rotation);
  };
  return { stop };
}

/** Whether a disk is full, given whether it was. */
export function isDiskFull(wasFull: boolean, freeBytes: number): boolean {
  return freeBytes < (wasFull ? freeFromBytes : fullBelowBytes);
}

/** Space for files of this user; none if the file system has no file left. Null if that is unknown. */
function availableBytes(folder: string): number | null {
  try {
    const { bavail, bfree, bsize, files, ffree } = statfsSync(folder);
    // Some file systems keep a reserve for root.
    const blocks = process.getuid?.() === 0 ? bfree : bavail;
    return files > 0 && ffree === 0 ? 0 : blocks * bsize;
  } catch {
    return null;
  }
}

function fullDiskText(stateDir: string): string {
  return `the disk of ${stateDir} is full: changes of the mesh cannot be saved, and logs are dropped; requests are still routed as before. Free some space; the mesh then continues by itself`;
}

function isMissing(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** As PostgreSQL stops when its lock file is gone: what is written from here on could not be found again. */
function lostReason(path: string): string {
  return `${path} was removed or replaced while the mesh ran: changes since then are lost, and later ones could not be saved. Stopping; to keep the mesh, restore the state folder from a backup and start again`;
}

function rotateLogs(folder: string, log: (line: string) => void): void {
  try {
    for (const name of readdirSync(folder)) if (name.endsWith(".log")) rotateLog(join(folder, name));
  } catch (error) {
    log(`cannot rotate the logs in ${folder}: ${(error as Error).message}`);
  }
}
