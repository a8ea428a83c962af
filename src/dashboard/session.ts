// Sessions: a cookie that says who signed in and until when, signed with the token they signed in with. Nothing is
// kept of them: another token ends every session of the old one.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Role } from "../control/context.ts";
import type { Identity } from "./context.ts";

/** How long a sign-in lasts: a working day. Milliseconds. */
export const sessionLifetimeMs = 12 * 3_600_000;

/** How long the link that `waggle dashboard` prints can be followed. Milliseconds. */
export const linkLifetimeMs = 15 * 60_000;

/** The token of each role; empty: nobody has it. */
export type RoleTokens = Readonly<Record<Role, string>>;

type SignaturePurpose = "session" | "link" | "form";

/** The value of the cookie: `ROLE.ID.EXPIRY.SIGNATURE`, the expiry in epoch milliseconds. */
export function writeSession(role: Role, tokens: RoleTokens, id: string, nowMs: number): string {
  const body = `${role}.${id}.${nowMs + sessionLifetimeMs}`;
  return `${body}.${sign(tokens[role], "session", body)}`;
}

/** Who the cookie says it is; null when it is not ours, or its time is over. */
export function readSession(text: string, tokens: RoleTokens, nowMs: number): Identity | null {
  const [, body = "", role, id = "", expiry, signature = ""] =
    /^((operator|viewer)\.([0-9a-z]{1,64})\.(\d{1,15}))\.([\w-]{43})$/.exec(text) ?? [];
  if (role !== "operator" && role !== "viewer") return null;
  if (!isSigned(signature, tokens[role], "session", body)) return null;
  const expiresAtMs = Number(expiry);
  return expiresAtMs <= nowMs ? null : { role, actor: role, id, expiresAtMs, by: "token" };
}

/** A code that signs an operator in once: `ID.EXPIRY.SIGNATURE`. */
export function writeLinkCode(tokens: RoleTokens, id: string, nowMs: number): string {
  const body = `${id}.${nowMs + linkLifetimeMs}`;
  return `${body}.${sign(tokens.operator, "link", body)}`;
}

/** The id by which a code is spent, and when it ends; null when it is not ours, or its time is over. */
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

/** What every form of this sign-in carries, so that no other site can send one in its name. */
export function formToken(tokens: RoleTokens, identity: Identity): string {
  return sign(tokens.operator, "form", identity.id);
}

/** Whether a form is this sign-in's own. */
export function isValidFormToken(given: string, tokens: RoleTokens, identity: Identity): boolean {
  return isSigned(given, tokens.operator, "form", identity.id);
}

/** A token that is not set signs nothing. */
function isSigned(signature: string, token: string, purpose: SignaturePurpose, body: string): boolean {
  const text = new TextEncoder();
  const given = text.encode(signature);
  const expected = text.encode(sign(token, purpose, body));
  return token !== "" && given.length === expected.length && timingSafeEqual(given, expected);
}

/** The purpose is part of what is signed, so that no signature passes for one of another kind. */
function sign(token: string, purpose: SignaturePurpose, body: string): string {
  return createHmac("sha256", token).update(`waggle ${purpose}\n${body}`).digest("base64url");
}
