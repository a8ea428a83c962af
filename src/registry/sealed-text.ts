// Texts that the registry stores sealed: its database alone, without the operator's token, does not give them away.

import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";

const nonceBytes = 12;
const tagBytes = 16;

/** Base-36 digits of the randomness of one sealed text. */
export const sealRandomLength = 24;

/**
 * Seals a text with AES-256-GCM under a key derived from `secret`.
 *
 * @param random text of at least `sealRandomLength` random base-36 digits, another one each time
 */
export function sealText(text: string, secret: string, random: string): string {
  const nonce = createHmac("sha256", random).update("nonce").digest().subarray(0, nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", keyOf(secret), nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
}

/** The text; null if it was sealed under another secret, or changed since. */
export function openText(sealed: string, secret: string): string | null {
  const bytes = Buffer.from(sealed, "base64url");
  try {
    const decipher = createDecipheriv("aes-256-gcm", keyOf(secret), bytes.subarray(0, nonceBytes));
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
    return text.toString("utf8");
  } catch {
    return null;
  }
}

/** A secret for one purpose: a text that is sealed for another does not open under it. */
export function secretFor(purpose: string, secret: string): string {
  return createHmac("sha256", secret).update(`waggle ${purpose}`).digest("base64url");
}

function keyOf(secret: string): Buffer {
  return createHmac("sha256", secret).update("waggle sealed text").digest();
}
