// Ids and secrets: how they are made, kept and compared.

import { createHash, timingSafeEqual } from "node:crypto";

const base36Digits = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A random id in SwarmKit's form: 25 characters 0-9a-z, 129 bits. */
export function randomId(): string {
  return randomBase36(25);
}

/** `length` random base-36 digits, each 5.17 bits, all alike likely. */
export function randomBase36(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      // 252 is the largest multiple of 36 in a byte: what lies above would favour the first digits.
      if (byte < 252 && text.length < length) text += base36Digits.charAt(byte % 36);
    }
  }
  return text;
}

/** The form in which a secret is kept. Enough for a random secret of 128 bits and more, which no list of words holds. */
export function secretHash(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** Whether a secret is the one kept as `hash`, in a time that says nothing about either. */
export function matchesHash(secret: string, hash: string): boolean {
  const text = new TextEncoder();
  const given = text.encode(secretHash(secret));
  const kept = text.encode(hash);
  return given.length === kept.length && timingSafeEqual(given, kept);
}
