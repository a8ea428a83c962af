// What a mesh on this machine keeps in its state folder: its secrets, the operator's and the viewer's token and the key
// its listeners vouch with, made once; and what it leaves there for `waggle` to find it by.

import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
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
  const text = readIfThere(path);
  if (text === null) {
    const secrets = { token: newSecret(), viewerToken: newSecret(), entryKey: newSecret() };
    writePrivateJson(path, secrets);
    return { secrets, isNew: true };
  }
  const parsed = Secrets.safeParse(parseJson(text));
  if (!parsed.success) throw new Error(`cannot read ${path}: restore it, or remove it for a new token`);
  writePrivateJson(path, parsed.data);
  return { secrets: parsed.data, isNew: false };
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

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whole or not at all: written beside, then moved into place. */
function writePrivateJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
