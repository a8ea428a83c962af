// The identity behind a request: from Cloudflare Access if it is set up, else from the session cookie.

import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { readAssertion } from "./access.ts";
import type { DashboardDeps, DashboardEnv, Identity } from "./context.ts";
import { type RoleTokens, readSession, sessionLifetimeMs } from "./session.ts";

/** Services may share the host name, and cookies ignore ports: only this path receives the cookie. */
const cookiePath = "/dashboard/";

export function roleTokens({ operatorToken, viewerToken = "" }: DashboardDeps): RoleTokens {
  return { operator: operatorToken, viewer: viewerToken };
}

/** Null without a valid session. @throws MeshError if Access's assertion is invalid */
export async function readIdentity(c: Context<DashboardEnv>, deps: DashboardDeps): Promise<Identity | null> {
  const assertion = c.req.header("cf-access-jwt-assertion");
  if (deps.access !== null && assertion !== undefined)
    return readAssertion(assertion, deps.access, deps.now());
  const cookie = getCookie(c, cookieName(c));
  return cookie === undefined ? null : readSession(cookie, roleTokens(deps), deps.now());
}

/** True if the browser sent a session cookie, valid or not. */
export function hasSession(c: Context<DashboardEnv>): boolean {
  return getCookie(c, cookieName(c)) !== undefined;
}

export function startSession(c: Context<DashboardEnv>, session: string): void {
  setCookie(c, cookieName(c), session, { ...cookieAttributes(c), maxAge: sessionLifetimeMs / 1_000 });
}

export function endSession(c: Context<DashboardEnv>): void {
  deleteCookie(c, cookieName(c), cookieAttributes(c));
}

function cookieAttributes(c: Context<DashboardEnv>) {
  return { path: cookiePath, httpOnly: true, secure: isSecure(c), sameSite: "Strict" } as const;
}

/** The prefix `__Secure-` rejects cookies set over plain HTTP; the port separates meshes on one machine. */
function cookieName(c: Context<DashboardEnv>): string {
  const { port } = new URL(c.req.url);
  return `${isSecure(c) ? "__Secure-" : ""}waggle${port === "" ? "" : `-${port}`}`;
}

function isSecure(c: Context<DashboardEnv>): boolean {
  return new URL(c.req.url).protocol === "https:";
}

/** The identity that `requireSignIn` stored. @throws Error on a route that is not behind it */
export function requireIdentity(c: Context<DashboardEnv>): Identity {
  const identity = c.get("identity");
  if (identity === undefined) throw new Error("this route is not behind requireSignIn");
  return identity;
}
