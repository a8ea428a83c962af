// The lock on a state folder: two meshes on one folder would be two live copies of one registry on one database.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { acquireLock } from "../agent/lock-file.ts";

/** Releases the lock; safe to call twice. */
export type ReleaseLock = () => void;

/** Says who holds a state folder. */
export class StateFolderBusy extends Error {
  override readonly name = "StateFolderBusy";
}

/**
 * Takes the lock of `stateDir`, creating the folder when it is not there.
 *
 * @throws StateFolderBusy when a running process holds it; the message names it and says what would work
 */
export function lockStateFolder(stateDir: string): ReleaseLock {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(stateDir, "lock"));
  if (lock.isAcquired) return lock.release;
  const holder = lock.holderPid === null ? "" : ` (process ${lock.holderPid})`;
  throw new StateFolderBusy(
    `the mesh in ${stateDir} is already running${holder}: stop it first, or start another with --state DIR, --port N and --edge-port N`,
  );
}
