// What a mesh on this machine keeps in its state folder: its secrets, the operator's and the viewer's token and the key
// its listeners vouch with, made once; and what it leaves there for `waggle` to find it by.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJsonFile, writeFileAtomically } from "../agent/files.ts";
import { type ClosedPort, closedPortsFile } from "../cli/closed-ports.ts";

const secret = z.string().min(16);
const Secrets = z.object({
  token: secret,
  /** Made at the next start where an earlier release wrote the file. */
  viewerToken: secret.default(newSecret),
  entryKey: secret,
});
export type MeshSecrets = z.infer<typeof Secrets>;

/**
 * Reads `<stateDir>/secrets.json`, or makes it; `isNew` says which.
 *
 * @throws Error when the file is there but cannot be read: new secrets would lock every client of the mesh out
 */
export function readSecrets(stateDir: string): { secrets: MeshSecrets; isNew: boolean } {
  const path = join(stateDir, "secrets.json");
  const isNew = !existsSync(path);
  const secrets = isNew ? newSecrets() : readJsonFile<MeshSecrets>(path, Secrets);
  if (secrets === null) throw new Error(`cannot read ${path}: restore it, or remove it for a new token`);
  writePrivateJson(path, secrets);
  return { secrets, isNew };
}

function newSecrets(): MeshSecrets {
  return { token: newSecret(), viewerToken: newSecret(), entryKey: newSecret() };
}

function newSecret(): string {
  return randomBytes(24).toString("base64url");
}

/** Leaves word for `waggle` of where the mesh is: `<stateDir>/mesh.json`. */
export function writeContext(stateDir: string, control: string, token: string): void {
  writePrivateJson(join(stateDir, "mesh.json"), { control, token });
}

/** Leaves word for `waggle` of which published ports this machine could not open. */
export function writeClosedPorts(stateDir: string, closed: readonly ClosedPort[]): void {
  writePrivateJson(join(stateDir, closedPortsFile), closed);
}

function writePrivateJson(path: string, value: unknown): void {
  writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}
