// The keys that sign sessions, sign-in links and forms. Each is derived from a token of the mesh under a label of
// its own, so a text that was signed as one is never valid as another.

import type { Role } from "../control/context.ts";

type SigningKey = Uint8Array;

/** 32 bytes each; null without the token that it comes from. */
export type DashboardKeys = {
  readonly session: Readonly<Record<Role, SigningKey | null>>;
  readonly link: SigningKey | null;
  readonly form: SigningKey | null;
};

/** The token of each role; empty if the role is disabled. */
export type RoleTokens = Readonly<Record<Role, string>>;

/** Derives all keys by HKDF with SHA-256 (RFC 5869). */
export async function deriveKeys({ operator, viewer }: RoleTokens): Promise<DashboardKeys> {
  const [operatorSession, viewerSession, link, form] = await Promise.all([
    deriveKey(operator, "session"),
    deriveKey(viewer, "session"),
    deriveKey(operator, "link"),
    deriveKey(operator, "form"),
  ]);
  return { session: { operator: operatorSession, viewer: viewerSession }, link, form };
}

/** Derives the keys at the first call. Keeps the keys and not the promise, which belongs to one request. */
export function keyReader(tokens: RoleTokens): () => Promise<DashboardKeys> {
  let keys: DashboardKeys | null = null;
  return async () => {
    keys ??= await deriveKeys(tokens);
    return keys;
  };
}

async function deriveKey(token: string, label: "session" | "link" | "form"): Promise<SigningKey | null> {
  if (token === "") return null;
  const encoder = new TextEncoder();
  const secret = await crypto.subtle.importKey("raw", encoder.encode(token), "HKDF", false, ["deriveBits"]);
  const info = encoder.encode(`waggle dashboard ${label} v1`);
  // The tokens are random, so no salt is needed (RFC 5869 §3.1).
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, secret, 256));
}
