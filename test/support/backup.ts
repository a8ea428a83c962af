// Carries a backup from one registry to another, as the command does.

import { gunzipSync, gzipSync } from "node:zlib";
import { unwrap } from "../../src/domain/model/error.ts";
import {
  type BackupRows,
  type BackupStarted,
  type MeshContents,
  openPart,
  type RestoreCommit,
  sealPart,
} from "../../src/protocol/backup.ts";
import type { TestMesh } from "../unit/registry/harness.ts";

export type TakenBackup = { readonly started: BackupStarted; readonly parts: readonly BackupRows[] };

export function takeBackup({ registry, sealSecret }: TestMesh): TakenBackup {
  const started = unwrap(registry.startBackup("operator"));
  const parts = Array.from({ length: started.parts }, (_, number) => {
    const text = unwrap(registry.backupPart(started.id, number));
    const bytes = openPart(text, sealSecret, { transfer: started.id, number });
    if (bytes === null) throw new Error(`part ${number} does not open`);
    return JSON.parse(gunzipSync(bytes).toString("utf8")) as BackupRows;
  });
  registry.endTransfer(started.id);
  return { started, parts };
}

/** Sends all parts of a restore; it is not committed yet. @returns its id */
export function sendBackup(
  { registry, sealSecret }: TestMesh,
  { started, parts }: TakenBackup,
  replace = false,
): string {
  const { step } = started;
  const { id } = unwrap(registry.startRestore({ step, parts: parts.length, replace }, "operator"));
  for (const [number, part] of parts.entries()) {
    const text = sealPart(
      gzipSync(JSON.stringify(part)),
      sealSecret,
      { transfer: id, number },
      `random ${number}`,
    );
    unwrap(registry.putRestorePart(id, number, text));
  }
  return id;
}

export function commitOf({ started }: TakenBackup, replace = false, returnMs = 600_000): RestoreCommit {
  return { replace, returnMs, source: { mesh: started.mesh.name, atMs: started.atMs, version: "0.1.0" } };
}

export function restoreInto(mesh: TestMesh, backup: TakenBackup, replace = false): MeshContents {
  const id = sendBackup(mesh, backup, replace);
  return unwrap(mesh.registry.commitRestore(id, commitOf(backup, replace), "operator"));
}
