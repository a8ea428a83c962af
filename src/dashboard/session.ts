// Sessions, sign-in links and form tokens as signed text.
//
// A session is also a row in the registry, which ends it at sign-out; a signature alone does not open the
// dashboard. The signature spares the registry from forged cookies, ends all sessions of a token when the token
// changes, and binds a session to its host name.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Role } from "../control/context.ts";
import type { Identity } from "./context.ts";
import type { DashboardKeys } from "./keys.ts";

/** A working day, in milliseconds. */
export const sessionLifetimeMs = 12 * 3_600_000;

/** Lifetime of the link that `waggle dashboard` prints. */
export const linkLifetimeMs = 15 * 60_000;

/**
 * The cookie's value: `ROLE.ID.EXPIRY.SIGNATURE`, with the expiry in epoch milliseconds.
 *
 * @param host host name and port of the dashboard, where alone the session is valid
 * @throws Error if the role is disabled
 * @see docs/decisions/0058-sessions.md
 */
export function writeSession(
  keys: DashboardKeys,
  { role, id, host }: { readonly role: Role; readonly id: string; readonly host: string },
  expiresAtMs: number,
): string {
  const key = keys.session[role];
  if (key === null) throw new Error(`the role ${role} has no token`);
  const body = `${role}.${id}.${expiresAtMs}`;
  return `${body}.${sign(key, sessionText(host, body))}`;
}

/** Null if the cookie is malformed, forged, expired, or from another host name. */
export function readSession(text: string, keys: DashboardKeys, host: string, nowMs: number): Identity | null {
  const [, body = "", role, id = "", expiry, signature = ""] =
    /^((operator|viewer)\.([0-9a-z]{1,64})\.(\d{1,15}))\.([\w-]{43})$/.exec(text) ?? [];
  if (role !== "operator" && role !== "viewer") return null;
  if (!isSigned(signature, keys.session[role], sessionText(host, body))) return null;
  const expiresAtMs = Number(expiry);
  return expiresAtMs <= nowMs ? null : { role, actor: role, id, expiresAtMs, by: "token" };
}

function sessionText(host: string, body: string): string {
  return `${host.toLowerCase()}\n${body}`;
}

/** The one-time code of a sign-in link: `ID.EXPIRY.SIGNATURE`. @throws Error without an operator token */
export function writeLinkCode({ link }: DashboardKeys, id: string, nowMs: number): string {
  if (link === null) throw new Error("the operator has no token");
  const body = `${id}.${nowMs + linkLifetimeMs}`;
  return `${body}.${sign(link, body)}`;
}

/** The id to redeem and its expiry. Null if the code is malformed, forged or expired. */
export function readLinkCode(
  text: string,
  { link }: DashboardKeys,
  nowMs: number,
): { readonly id: string; readonly expiresAtMs: number } | null {
  const [, body = "", id = "", expiry, signature = ""] =
    /^(([0-9a-z]{1,64})\.(\d{1,15}))\.([\w-]{43})$/.exec(text) ?? [];
  if (!isSigned(signature, link, body)) return null;
  const expiresAtMs = Number(expiry);
  return expiresAtMs <= nowMs ? null : { id, expiresAtMs };
}

/** The CSRF token in every form of one sign-in; empty, and never valid, without an operator token. */
export function formToken({ form }: DashboardKeys, { id }: Identity): string {
  return form === null ? "" : sign(form, id);
}

export function isValidFormToken(token: string, { form }: DashboardKeys, { id }: Identity): boolean {
  return isSigned(token, form, id);
}

/** Compares in constant time. False for any signature without a key. */
function isSigned(signature: string, key: Uint8Array | null, text: string): boolean {
  if (key === null) return false;
  const encoder = new TextEncoder();
  const actual = encoder.encode(signature);
  const expected = encoder.encode(sign(key, text));
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function sign(key: Uint8Array, text: string): string {
  return createHmac("sha256", key).update(text).digest("base64url");
}
