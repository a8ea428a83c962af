// The state folder of a mesh on this machine: lock, secrets, and the files by which `waggle` finds the mesh.

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJsonFile, writeFileAtomically } from "../os/files.ts";
import { acquireLock, lockHolder } from "../os/lock-file.ts";
import type { ProcessIdentity } from "../os/process-identity.ts";

export type StateLock = {
  /** Safe to call twice. */
  readonly release: () => void;
  /** False once the folder, or the lock in it, was removed or replaced. */
  readonly isHeld: () => boolean;
};

/**
 * Locks `stateDir`, creating the folder if it is missing. Two meshes on one folder would run one registry
 * twice, on the same database.
 *
 * @throws Error if a running process holds the lock
 */
export function lockStateFolder(stateDir: string): StateLock {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(lockFile(stateDir));
  if (lock.isAcquired) return lock;
  const holder = lock.holderPid === null ? "" : ` (process ${lock.holderPid})`;
  throw new Error(
    `the mesh in ${stateDir} is already running${holder}: stop it first, or start another with --state DIR, --port N and --edge-port N`,
  );
}

/** The process that runs the mesh of a state folder; null if none does. */
export function runningMesh(stateDir: string): ProcessIdentity | null {
  return lockHolder(lockFile(stateDir));
}

/** The file with the identity of the process that runs the mesh. */
function lockFile(stateDir: string): string {
  return join(stateDir, "lock");
}

/** The folder of the logs of this mesh's processes. */
export function logFolder(stateDir: string): string {
  return join(stateDir, "log");
}

/** The folder with the state folders of the agents, by the names of their nodes. */
export function nodesFolder(stateDir: string): string {
  return join(stateDir, "nodes");
}

/** The folder of the Durable Objects' databases. */
export function databaseFolder(stateDir: string): string {
  return join(stateDir, "registry");
}

/** Creates a folder that only its owner can enter; restricts one that already exists. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
}

/** The names in a folder, ascending; empty if there is no such folder. */
export function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

const secret = z.string().min(16);
const StoredSecrets = z.object({
  /** The operator's token. */
  token: secret,
  /** Added at the next start if an earlier release wrote the file. */
  viewerToken: secret.default(newSecret),
});

export type MeshSecrets = z.infer<typeof StoredSecrets> & {
  /** Seals the entry headers of this start's listeners; never stored. */
  readonly entryKey: string;
};

/**
 * Reads `<stateDir>/secrets.json`, or creates it.
 *
 * @throws Error if the file exists and cannot be read: new secrets would lock out every client of the mesh
 */
export function readSecrets(stateDir: string): MeshSecrets {
  const path = join(stateDir, "secrets.json");
  const stored = existsSync(path)
    ? readJsonFile<z.infer<typeof StoredSecrets>>(path, StoredSecrets)
    : { token: newSecret(), viewerToken: newSecret() };
  if (stored === null) throw new Error(`cannot read ${path}: restore it, or remove it for a new token`);
  writePrivateJson(path, stored);
  return { ...stored, entryKey: newSecret() };
}

function newSecret(): string {
  return randomBytes(24).toString("base64url");
}

/**
 * The file that workerd locks while it has the registry's database open (workerd.sh), so that a workerd that
 * outlived its mesh keeps the next one from opening it.
 */
export function databaseLockFile(stateDir: string): string {
  return join(stateDir, "registry.lock");
}

/**
 * The files of the registry's database that exist now. Miniflare keeps one SQLite file for each object, and
 * one for their alarms, in a folder with the names of the Worker and the class.
 */
export function databaseFiles(stateDir: string): readonly string[] {
  const folder = join(databaseFolder(stateDir), "do", "waggle-MeshRegistry");
  return namesIn(folder)
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => join(folder, name));
}

const MeshFile = z.object({
  /** Origin of the control API. */
  control: z.string(),
  token: z.string(),
  /** Id of the mesh in the registry's database; earlier releases did not write it. */
  id: z.string().optional(),
});
export type MeshFile = z.infer<typeof MeshFile>;

/** Writes `<stateDir>/mesh.json`, which gives `waggle` the address and token of the mesh. */
export function writeMeshFile(stateDir: string, mesh: Required<MeshFile>): void {
  writePrivateJson(join(stateDir, meshFile), mesh);
}

/** The mesh of the last start; null if this is the first. */
export function readMeshFile(stateDir: string): MeshFile | null {
  return readJsonFile(join(stateDir, meshFile), MeshFile);
}

const meshFile = "mesh.json";

function writePrivateJson(path: string, value: unknown): void {
  writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}
