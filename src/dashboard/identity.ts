// The identity behind a request: from Cloudflare Access if it is set up, else from the session cookie.

import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import type { Role } from "../control/context.ts";
import { sessionCookieName } from "../domain/model/session-cookie.ts";
import { readAssertion } from "./access.ts";
import type { DashboardDeps, DashboardEnv, Identity } from "./context.ts";
import { readSession, sessionLifetimeMs, writeSession } from "./session.ts";

/** Null without a valid session. @throws MeshError if Access's assertion is invalid, or without the registry */
export async function readIdentity(c: Context<DashboardEnv>, deps: DashboardDeps): Promise<Identity | null> {
  const assertion = c.req.header("cf-access-jwt-assertion");
  if (deps.access !== null && assertion !== undefined)
    return readAssertion(assertion, deps.access, deps.now());
  return readSessionCookie(c, deps);
}

/**
 * The identity of the first valid session among the cookies of its name: a page of another port or path on the
 * same host name can add cookies of that name, which must not sign the user out (RFC 6265 §8.6).
 */
async function readSessionCookie(c: Context<DashboardEnv>, deps: DashboardDeps): Promise<Identity | null> {
  const { host } = new URL(c.req.url);
  for (const cookie of sessionCookies(c)) {
    const identity = readSession(cookie, c.get("keys"), host, deps.now());
    if (identity !== null && (await deps.mesh.isSessionOpen(identity.id))) return identity;
  }
  return null;
}

/** The values of all cookies with the session's name. */
function sessionCookies(c: Context<DashboardEnv>): readonly string[] {
  const name = cookieName(c);
  return (c.req.header("cookie") ?? "").split(/[;,]/).flatMap((pair) => {
    const [pairName = "", value = ""] = pair.split("=", 2);
    return pairName.trim() === name ? [value.trim()] : [];
  });
}

/** True if the browser sent a session cookie, valid or not. */
export function hasSession(c: Context<DashboardEnv>): boolean {
  return sessionCookies(c).length > 0;
}

/** Opens a session and ends the one that it replaces in this browser. */
export async function startSession(c: Context<DashboardEnv>, deps: DashboardDeps, role: Role): Promise<void> {
  const replaced = await readSessionCookie(c, deps);
  if (replaced !== null) await deps.mesh.closeSession(replaced.id);
  const { host } = new URL(c.req.url);
  const [id, expiresAtMs] = [deps.newId(), deps.now() + sessionLifetimeMs];
  await deps.mesh.openSession(id, expiresAtMs, role);
  const value = writeSession(c.get("keys"), { role, id, host }, expiresAtMs);
  setCookie(c, cookieName(c), value, { ...cookieAttributes(c), maxAge: sessionLifetimeMs / 1_000 });
}

/** Ends the session in the registry, so that a copy of the cookie is worthless, and in the browser. */
export async function endSession(
  c: Context<DashboardEnv>,
  { mesh }: DashboardDeps,
  { id }: Identity,
): Promise<void> {
  await mesh.closeSession(id);
  deleteCookie(c, cookieName(c), cookieAttributes(c));
}

function cookieName(c: Context<DashboardEnv>): string {
  return sessionCookieName(new URL(c.req.url));
}

/** `__Host-` requires the path `/`. Over plain HTTP only the dashboard's path receives the cookie. */
function cookieAttributes(c: Context<DashboardEnv>) {
  const secure = new URL(c.req.url).protocol === "https:";
  return { path: secure ? "/" : "/dashboard/", httpOnly: true, secure, sameSite: "Strict" } as const;
}

/** The identity that `requireSignIn` stored. @throws Error on a route that is not behind it */
export function requireIdentity(c: Context<DashboardEnv>): Identity {
  const identity = c.get("identity");
  if (identity === undefined) throw new Error("this route is not behind requireSignIn");
  return identity;
}
