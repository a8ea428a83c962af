// Sessions and sign-in links as signed text. Nothing is stored: the signature is made with the role's token,
// so a new token ends every session of the old one.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Role } from "../control/context.ts";
import type { Identity } from "./context.ts";

/** A working day, in milliseconds. */
export const sessionLifetimeMs = 12 * 3_600_000;

/** Lifetime of the link that `waggle dashboard` prints. */
export const linkLifetimeMs = 15 * 60_000;

/** The token of each role; empty if the role is disabled. */
export type RoleTokens = Readonly<Record<Role, string>>;

type SignaturePurpose = "session" | "link" | "form";

/** The cookie's value: `ROLE.ID.EXPIRY.SIGNATURE`, with the expiry in epoch milliseconds. */
export function writeSession(role: Role, tokens: RoleTokens, id: string, nowMs: number): string {
  const body = `${role}.${id}.${nowMs + sessionLifetimeMs}`;
  return `${body}.${sign(tokens[role], "session", body)}`;
}

/** Null if the cookie is malformed, forged or expired. */
export function readSession(text: string, tokens: RoleTokens, nowMs: number): Identity | null {
  const [, body = "", role, id = "", expiry, signature = ""] =
    /^((operator|viewer)\.([0-9a-z]{1,64})\.(\d{1,15}))\.([\w-]{43})$/.exec(text) ?? [];
  if (role !== "operator" && role !== "viewer") return null;
  if (!isSigned(signature, tokens[role], "session", body)) return null;
  const expiresAtMs = Number(expiry);
  return expiresAtMs <= nowMs ? null : { role, actor: role, id, expiresAtMs, by: "token" };
}

/** The one-time code of a sign-in link: `ID.EXPIRY.SIGNATURE`. */
export function writeLinkCode(tokens: RoleTokens, id: string, nowMs: number): string {
  const body = `${id}.${nowMs + linkLifetimeMs}`;
  return `${body}.${sign(tokens.operator, "link", body)}`;
}

/** The id to redeem and its expiry. Null if the code is malformed, forged or expired. */
export function readLinkCode(
  text: string,
  tokens: RoleTokens,
  nowMs: number,
): { readonly id: string; readonly expiresAtMs: number } | null {
  const [, body = "", id = "", expiry, signature = ""] =
    /^(([0-9a-z]{1,64})\.(\d{1,15}))\.([\w-]{43})$/.exec(text) ?? [];
  if (!isSigned(signature, tokens.operator, "link", body)) return null;
  const expiresAtMs = Number(expiry);
  return expiresAtMs <= nowMs ? null : { id, expiresAtMs };
}

/** The CSRF token in every form of one sign-in. */
export function formToken(tokens: RoleTokens, identity: Identity): string {
  return sign(tokens.operator, "form", identity.id);
}

export function isValidFormToken(token: string, tokens: RoleTokens, identity: Identity): boolean {
  return isSigned(token, tokens.operator, "form", identity.id);
}

/** False for any signature if the token is empty. */
function isSigned(signature: string, token: string, purpose: SignaturePurpose, body: string): boolean {
  const encoder = new TextEncoder();
  const actual = encoder.encode(signature);
  const expected = encoder.encode(sign(token, purpose, body));
  return token !== "" && actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The signed text starts with the purpose, so that a link's signature is not valid for a session. */
function sign(token: string, purpose: SignaturePurpose, body: string): string {
  return createHmac("sha256", token).update(`waggle ${purpose}\n${body}`).digest("base64url");
}
