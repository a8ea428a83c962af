// What crosses the wire in a backup and a restore: rows of the registry in parts, each sealed for a holder of the
// operator's token, and the JSON around them.
//
//   POST   /mesh/backup                    -> BackupStarted
//   GET    /mesh/backup/ID/NUMBER          -> a sealed part
//   DELETE /mesh/backup/ID
//   POST   /mesh/restore  RestoreRequest   -> RestoreStarted
//   PUT    /mesh/restore/ID/NUMBER         a sealed part
//   POST   /mesh/restore/ID  RestoreCommit -> MeshContents
//   DELETE /mesh/restore/ID
//
// @see docs/decisions/0125-sealed-backups.md

import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

const sqlName = z.string().regex(/^[a-z_]{1,40}$/);

/** Rows of one table, as the tables of a step have them. Compressed with gzip it is the content of a part. */
export const BackupRows = z.object({
  table: sqlName,
  columns: z.array(sqlName).min(1).max(20),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))),
});
export type BackupRows = z.infer<typeof BackupRows>;

/** Uncompressed bytes of a part, unless one row has more. */
export const partBytes = 1_048_576;
/** Uncompressed bytes that a reader accepts: the largest row is below 2 MiB. */
const maxPartBytes = 16 * 1_048_576;
/** Characters of a sealed part that a reader accepts; a row of a Durable Object has 2 MB. */
export const maxSealedLength = 2_000_000;
/** Parts that a reader accepts: far above the 10 GB of a Durable Object. */
const maxTransferParts = 10_000;

const count = z.number().int().nonnegative();
const names = z.array(z.string());

/** What a mesh has, by name. */
export const MeshContents = z.object({
  services: names,
  nodes: names,
  servers: names,
  networks: names,
  secrets: names,
  configs: names,
});
export type MeshContents = z.infer<typeof MeshContents>;

const nouns: readonly (readonly [keyof MeshContents, string])[] = [
  ["services", "service"],
  ["nodes", "node"],
  ["servers", "static server"],
  ["networks", "network"],
  ["secrets", "secret"],
  ["configs", "config"],
];
/** Names of one kind that a sentence has. */
const maxNamed = 5;

/** `2 services (db, web) and 1 node (node1)`; empty if the mesh is. */
export function contentsText(contents: MeshContents): string {
  const parts = nouns.flatMap(([kind, noun]) => {
    const all = contents[kind];
    if (all.length === 0) return [];
    const others = all.length > maxNamed ? ", …" : "";
    return [
      `${all.length} ${noun}${all.length === 1 ? "" : "s"} (${all.slice(0, maxNamed).join(", ")}${others})`,
    ];
  });
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** A backup whose parts can be read for a while. */
export const BackupStarted = z.object({
  id: z.string().regex(/^[0-9a-z]{25}$/),
  parts: count.max(maxTransferParts),
  /** The step of the registry's tables. */
  step: count,
  mesh: z.object({ id: z.string(), name: z.string() }),
  /** When the rows were read, epoch milliseconds. */
  atMs: count,
});
export type BackupStarted = z.infer<typeof BackupStarted>;

export const RestoreRequest = z.object({
  step: count,
  parts: count.min(1).max(maxTransferParts),
  /** True: what the mesh has is deleted. */
  replace: z.boolean(),
});
export type RestoreRequest = z.infer<typeof RestoreRequest>;

export const RestoreStarted = z.object({
  id: z.string().regex(/^[0-9a-z]{25}$/),
  mesh: z.object({ id: z.string(), name: z.string() }),
  /** What the mesh has now. */
  contents: MeshContents,
  /** The number of the newest event that this is after. Absent in responses of an earlier release. */
  seq: count.optional(),
});
export type RestoreStarted = z.infer<typeof RestoreStarted>;

/** How long nodes may take to return, milliseconds. */
export const maxReturnMs = 7 * 86_400_000;

export const RestoreCommit = z.object({
  replace: z.boolean(),
  /** Nodes that have not returned are not down before this has passed, milliseconds. */
  returnMs: count.max(maxReturnMs),
  /**
   * `seq` of the response that the operator confirmed: a mesh that has changed since is not replaced. Absent: not
   * checked, as by an earlier release.
   */
  seq: count.optional(),
  source: z.object({ mesh: z.string().max(200), atMs: count, version: z.string().max(100) }),
});
export type RestoreCommit = z.infer<typeof RestoreCommit>;

/** Where a part belongs. One that is moved to another place does not open there. */
export type PartPlace = {
  /** Id of the backup or restore. */
  readonly transfer: string;
  /** From 0. */
  readonly number: number;
};

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals a part with AES-256-GCM for holders of the operator's token.
 *
 * @param random text of at least 24 random base-36 digits, another one each time
 * @returns base64url
 */
export function sealPart(bytes: Uint8Array, token: string, place: PartPlace, random: string): string {
  const nonce = createHmac("sha256", random).update("nonce").digest().subarray(0, nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", keyOf(token), nonce).setAAD(placeBytes(place));
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
}

/** The bytes of a part; null if it was sealed under another token or for another place, or changed since. */
export function openPart(text: string, token: string, place: PartPlace): Buffer | null {
  const key = keyOf(token);
  const sealed = Buffer.from(text, "base64url");
  if (sealed.length < nonceBytes + tagBytes) return null;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceBytes));
    decipher.setAAD(placeBytes(place));
    decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()]);
  } catch {
    return null;
  }
}

/** The rows of an opened part; null if they cannot be read, or are too many. */
export function readPart(bytes: Uint8Array): BackupRows | null {
  try {
    const json: unknown = JSON.parse(gunzipSync(bytes, { maxOutputLength: maxPartBytes }).toString("utf8"));
    return BackupRows.safeParse(json).data ?? null;
  } catch {
    return null;
  }
}

/** @throws Error without a token: anyone could derive the key */
function keyOf(token: string): Buffer {
  if (token === "") throw new Error("a part of a backup is sealed with a token, and no token was given");
  return createHmac("sha256", token).update("waggle parts of backups").digest();
}

function placeBytes({ transfer, number }: PartPlace): Buffer {
  return Buffer.from(`${transfer} ${number}`);
}
