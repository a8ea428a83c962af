// The file of a backup as text: a line that says what it is, a header in clear text, and a sealed line for each part.
//
//   waggle-backup 1
//   {"mesh":{"id":"…","name":"waggle"},"at":"2026-11-29T02:30:00.000Z","waggle":"0.1.0","step":9,"parts":2,"key":{…}}
//   base64url of AES-256-GCM(part)                               once for each part
//
// The key is derived from the passphrase by scrypt with a salt of the file. Both lines of the head are authenticated
// with each part, and the number of a part is its nonce, so that no part can be changed, moved or left out.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from "node:crypto";
import { z } from "zod";
import { parseJson } from "../json.ts";

const backupFormat = 1;
const firstWord = "waggle-backup";
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;

/** Work of a guess: 128 MiB of memory and about half a second. */
const writtenCost = { N: 131_072, r: 8, p: 1 } as const;
/** Work that a file may ask of its reader: 256 MiB, and 4 times. */
const maxCost = { N: 262_144, r: 8, p: 4 } as const;
const maxScryptMemory = 300 * 1_048_576;

const base64url = z.string().regex(/^[A-Za-z0-9_-]{22,86}$/);

const KeyHeader = z.object({
  kdf: z.literal("scrypt"),
  N: z
    .number()
    .int()
    .min(2)
    .max(maxCost.N)
    .refine((cost) => (cost & (cost - 1)) === 0, "a power of two is expected"),
  r: z.number().int().min(1).max(maxCost.r),
  p: z.number().int().min(1).max(maxCost.p),
  salt: base64url,
  cipher: z.literal("aes-256-gcm"),
  /** Identifies the key, so that a wrong passphrase is distinguished from a changed file. */
  check: base64url,
});

/** What a backup says of itself without its passphrase. */
const BackupHeader = z.object({
  mesh: z.object({ id: z.string().max(100), name: z.string().max(200) }),
  /** When the registry was read. */
  at: z.iso.datetime(),
  /** The release of the mesh. */
  waggle: z.string().max(100),
  /** The step of the registry's tables. */
  step: z.number().int().min(1).max(10_000),
  parts: z.number().int().min(1).max(10_000),
  key: KeyHeader,
});
export type BackupHeader = z.infer<typeof BackupHeader>;

/** The head of a file: its two lines as they are, and what they say. */
export type BackupHead = { readonly text: string; readonly header: BackupHeader };

/** A file that is no backup, or one that this release cannot read. The message follows the name of the file. */
export class UnreadableHead extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Reads the two lines of the head. @throws UnreadableHead */
export function readHead(first: string, second: string): BackupHead {
  const format = /^waggle-backup (\d{1,6})$/.exec(first)?.[1];
  if (format === undefined)
    throw new UnreadableHead(
      `is not a backup of waggle: it begins with ${JSON.stringify(first.slice(0, 30))}`,
      `a backup begins with "${firstWord} ${backupFormat}"; waggle backup FILE writes one`,
    );
  if (Number(format) !== backupFormat)
    throw new UnreadableHead(
      `has format ${format}, and this release reads format ${backupFormat}`,
      "use the release that wrote it, or a later one",
    );
  const { success, data, error } = BackupHeader.safeParse(parseJson(second));
  if (success) return { text: `${first}\n${second}\n`, header: data };
  const [{ path = [], message = "" } = {}] = error.issues;
  throw new UnreadableHead(
    `has a header that cannot be read: ${[...path, message].join(": ")}`,
    "take another copy of the file",
  );
}

/** A key, and what the header says of it. */
type FileKey = { readonly key: Buffer; readonly check: string };

/** A new file: its head, and the function that seals a part as a line. */
export type SealedFile = {
  readonly head: BackupHead;
  /** Parts are sealed in their order, from 0. */
  readonly seal: (number: number, part: Uint8Array) => string;
};

/** @param cost the work of a guess */
export async function newFile(
  passphrase: string,
  description: Omit<BackupHeader, "key">,
  cost: Omit<Cost, "salt"> = writtenCost,
): Promise<SealedFile> {
  const salt = randomBytes(16).toString("base64url");
  const { key, check } = await deriveKey(passphrase, { ...cost, salt });
  const keyHeader = { kdf: "scrypt", ...cost, salt, cipher: "aes-256-gcm", check } as const;
  const head = readHead(`${firstWord} ${backupFormat}`, JSON.stringify({ ...description, key: keyHeader }));
  return {
    head,
    seal: (number, part) => {
      const cipher = createCipheriv("aes-256-gcm", key, nonceOf(number)).setAAD(Buffer.from(head.text));
      const sealed = Buffer.concat([cipher.update(part), cipher.final()]);
      return `${Buffer.concat([sealed, cipher.getAuthTag()]).toString("base64url")}\n`;
    },
  };
}

/** Opens the line of a part; null if it was changed. */
export type OpenLine = (number: number, line: string) => Buffer | null;

/** Null if the passphrase is another one. */
export async function openFile({ header, text }: BackupHead, passphrase: string): Promise<OpenLine | null> {
  const { key, check } = await deriveKey(passphrase, header.key);
  const [own, stored] = [Buffer.from(check), Buffer.from(header.key.check)];
  if (own.length !== stored.length || !timingSafeEqual(own, stored)) return null;
  return (number, line) => {
    const sealed = Buffer.from(line, "base64url");
    if (sealed.length < tagBytes || sealed.toString("base64url") !== line) return null;
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(number)).setAAD(Buffer.from(text));
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
    } catch {
      return null;
    }
  };
}

type Cost = { readonly N: number; readonly r: number; readonly p: number; readonly salt: string };

/** Passphrases are compared in Unicode's composed form: keyboards differ. */
function deriveKey(passphrase: string, { N, r, p, salt }: Cost): Promise<FileKey> {
  const options = { N, r, p, maxmem: maxScryptMemory };
  const { promise, resolve, reject } = Promise.withResolvers<FileKey>();
  scrypt(
    passphrase.normalize("NFC"),
    Buffer.from(salt, "base64url"),
    2 * keyBytes,
    options,
    (error, bytes) => {
      if (error !== null) return reject(error);
      const check = createHash("sha256").update(bytes.subarray(keyBytes)).digest("base64url");
      resolve({ key: bytes.subarray(0, keyBytes), check });
    },
  );
  return promise;
}

/** A key seals the parts of one file only, so that their numbers never repeat under it. */
function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(nonceBytes);
  nonce.writeUInt32BE(number, nonceBytes - 4);
  return nonce;
}
