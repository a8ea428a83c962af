// Backs the registry up: one consistent read of all rows, in parts that a client then fetches. A part leaves the
// registry sealed for a holder of the operator's token.
//
// @see docs/decisions/0125-sealed-backups.md

import { gzipSync } from "node:zlib";
import { MeshError } from "../domain/model/error.ts";
import {
  type BackupRows,
  type BackupStarted,
  maxSealedLength,
  partBytes,
  sealPart,
} from "../protocol/backup.ts";
import { openRows } from "./backup-secrets.ts";
import { newestStep } from "./backup-store.ts";
import { type Draft, meshSubject } from "./draft.ts";
import { sealRandomLength } from "./sealed-text.ts";
import type { RegistryStore } from "./store.ts";
import { beginTransfer, findTransfer, saveTransfer } from "./transfer.ts";

/** Time from one backup to the next, milliseconds: a large mesh decides nothing while its rows are read. */
const minBackupGapMs = 10_000;

/** Reads all rows. @throws MeshError backup/conflict, backup/too-large */
export function startBackup(draft: Draft, actor: string): BackupStarted {
  const { store, nowMs, context } = draft;
  checkGap(store, nowMs);
  store.setMeta("lastBackupAtMs", String(nowMs));
  const id = context.newId();
  const transfer = { id, kind: "backup", atMs: nowMs, step: newestStep } as const;
  beginTransfer(store, { ...transfer, parts: 0 });
  const { id: meshId, name } = meshSubject(draft);
  let parts = 0;
  for (const part of joinedRows(store.backup.rows())) {
    const json = JSON.stringify(openRows(part, context.sealSecret));
    const place = { transfer: id, number: parts };
    const random = context.newSecret(sealRandomLength);
    const sealed = sealPart(gzipSync(json), context.sealSecret, place, random);
    if (sealed.length > maxSealedLength) throw tooLarge(part.table);
    store.backup.putPart(parts, sealed);
    parts += 1;
  }
  saveTransfer(store, { ...transfer, parts });
  draft.recordEvent(
    actor,
    "mesh.backup",
    meshSubject(draft),
    "a copy of the registry with its secrets was taken",
  );
  return { id, parts, step: newestStep, mesh: { id: meshId, name }, atMs: nowMs };
}

/** A sealed part of a backup. @throws MeshError backup/not-found */
export function backupPart(store: RegistryStore, id: string, number: number, nowMs: number): string {
  findTransfer(store, "backup", id, nowMs);
  const part = store.backup.part(number);
  if (part !== null) return part;
  const message = `the backup has no part ${number}: it has ended, or took too long; begin again`;
  throw new MeshError("backup/not-found", message, { blame: "operator", retry: "never" });
}

/** Joins rows of one table to parts of at most `partBytes`, or of one row. */
function* joinedRows(runs: Iterable<BackupRows>): Generator<BackupRows> {
  let part: { readonly head: BackupRows; readonly rows: BackupRows["rows"]; bytes: number } | null = null;
  for (const run of runs) {
    if (part !== null && part.head.table !== run.table) {
      yield { ...part.head, rows: part.rows };
      part = null;
    }
    for (const row of run.rows) {
      const bytes = row.reduce((sum: number, value) => sum + String(value).length, 0);
      if (part !== null && part.bytes + bytes > partBytes) {
        yield { ...part.head, rows: part.rows };
        part = null;
      }
      part ??= { head: run, rows: [], bytes: 0 };
      part.rows.push(row);
      part.bytes += bytes;
    }
  }
  if (part !== null) yield { ...part.head, rows: part.rows };
}

/** Kept apart from the transfer, which a restore replaces. @throws MeshError backup/conflict */
function checkGap(store: RegistryStore, nowMs: number): void {
  const lastAtMs = Number(store.meta("lastBackupAtMs") ?? Number.NEGATIVE_INFINITY);
  const waitMs = lastAtMs + minBackupGapMs - nowMs;
  if (waitMs <= 0 || waitMs > minBackupGapMs) return;
  const message = `a backup of this mesh began ${Math.round((nowMs - lastAtMs) / 1_000)} s ago: try again in ${Math.ceil(waitMs / 1_000)} s`;
  throw new MeshError("backup/conflict", message, { blame: "operator", retry: "safe" });
}

function tooLarge(table: string): MeshError {
  const message = `a row of the table ${table} is too large for a backup: shorten the labels, environment or command of the largest service`;
  return new MeshError("backup/too-large", message, { blame: "operator", retry: "never" });
}
