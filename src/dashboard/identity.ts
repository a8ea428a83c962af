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
  for (const session of signedSessions(c, deps)) {
    if (await deps.mesh.isSessionOpen(session.id)) return session;
  }
  return null;
}

/**
 * The sessions that the browser sent, open or not, in the order in which they count. A page of another port or
 * path on the same host name can add cookies of the session's name (RFC 6265 §8.6): a forged one must not sign
 * the user out, and the session of another viewer must not take the place of an operator's.
 */
function signedSessions(c: Context<DashboardEnv>, { now }: DashboardDeps): readonly Identity[] {
  const { host } = new URL(c.req.url);
  const sessions = sessionCookies(c).map((cookie) => readSession(cookie, c.get("keys"), host, now()));
  const rank = ({ role }: Identity): number => (role === "operator" ? 0 : 1);
  return sessions
    .filter((session) => session !== null)
    .sort((a, b) => rank(a) - rank(b) || b.expiresAtMs - a.expiresAtMs);
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

/** Opens a session with a new id, and ends those that it replaces in this browser. */
export async function startSession(c: Context<DashboardEnv>, deps: DashboardDeps, role: Role): Promise<void> {
  await closeSessions(c, deps);
  const { host } = new URL(c.req.url);
  const [id, expiresAtMs] = [deps.newId(), deps.now() + sessionLifetimeMs];
  await deps.mesh.openSession(id, expiresAtMs, role);
  const value = writeSession(c.get("keys"), { role, id, host }, expiresAtMs);
  setCookie(c, cookieName(c), value, { ...cookieAttributes(c), maxAge: sessionLifetimeMs / 1_000 });
}

/** Ends the browser's sessions in the registry, so that a copy of a cookie is worthless, and in the browser. */
export async function endSession(c: Context<DashboardEnv>, deps: DashboardDeps): Promise<void> {
  await closeSessions(c, deps);
  deleteCookie(c, cookieName(c), cookieAttributes(c));
}

async function closeSessions(c: Context<DashboardEnv>, deps: DashboardDeps): Promise<void> {
  for (const { id } of signedSessions(c, deps))
    if (await deps.mesh.isSessionOpen(id)) await deps.mesh.closeSession(id);
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
