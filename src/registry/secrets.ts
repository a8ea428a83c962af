// Ids and secrets: creates, hashes and compares them.

import { createHash, timingSafeEqual } from "node:crypto";

const base36Digits = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A random id in SwarmKit's form: 25 characters 0-9a-z, 129 bits. */
export function randomId(): string {
  return randomBase36(25);
}

/** `length` random base-36 digits, uniformly distributed; 5.17 bits each. */
export function randomBase36(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      // 252 is the largest multiple of 36 in a byte; higher values would favor the first digits.
      if (byte < 252 && text.length < length) text += base36Digits.charAt(byte % 36);
    }
  }
  return text;
}

/** The stored form of a secret. A plain SHA-256 is enough for random secrets of 128 bits or more. */
export function secretHash(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** True if a secret has this hash, compared in constant time. */
export function matchesHash(secret: string, hash: string): boolean {
  const encoder = new TextEncoder();
  const actual = encoder.encode(secretHash(secret));
  const expected = encoder.encode(hash);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
