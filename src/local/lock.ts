// The lock on a state folder: two meshes on one folder would be two live copies of one registry on one database.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { identify, isRunning, type ProcessIdentity } from "../agent/process-identity.ts";

const LockFile = z.object({ pid: z.number().int(), started: z.string() });

/** Releases the lock; safe to call twice. */
export type Release = () => void;

/** Says who holds a state folder. */
export class StateFolderBusy extends Error {
  override readonly name = "StateFolderBusy";
}

/**
 * Takes the lock of `stateDir`, creating the folder when it is not there. A lock left by a process that is gone is
 * taken over.
 *
 * @throws StateFolderBusy when a running process holds it; the message names it and says what would work
 */
export function lockStateFolder(stateDir: string): Release {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, "lock");
  const self = identify(process.pid);
  if (self === null) throw new Error("cannot read the identity of this process");
  for (let tries = 0; tries < 3; tries++) {
    if (writeNew(path, self)) return () => rmSync(path, { force: true });
    const holder = readHolder(path);
    if (holder !== null && isRunning(holder)) {
      throw new StateFolderBusy(
        `the mesh in ${stateDir} is already running (process ${holder.pid}): stop it first, or start another with --state DIR and --port N`,
      );
    }
    rmSync(path, { force: true });
  }
  throw new StateFolderBusy(`cannot take the lock ${path}: another start is taking it at the same time`);
}

function writeNew(path: string, self: ProcessIdentity): boolean {
  try {
    writeFileSync(path, JSON.stringify(self), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(path: string): ProcessIdentity | null {
  try {
    return LockFile.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Unreadable or half-written: nobody can be held to it.
    return null;
  }
}
