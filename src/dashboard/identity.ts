// Who asks: by Cloudflare Access's word where it stands in front, else by the session cookie.

import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { readAssertion } from "./access.ts";
import type { DashboardDeps, DashboardEnv, Identity } from "./context.ts";
import { type RoleTokens, readSession, sessionLifetimeMs } from "./session.ts";

/** Sent nowhere else: tasks may answer on the same host name, and cookies do not know ports. */
const cookiePath = "/dashboard/";

export function roleTokens({ operatorToken, viewerToken = "" }: DashboardDeps): RoleTokens {
  return { operator: operatorToken, viewer: viewerToken };
}

/** Null when nobody is signed in, or no longer. @throws MeshError when Access's word is not accepted */
export async function readIdentity(c: Context<DashboardEnv>, deps: DashboardDeps): Promise<Identity | null> {
  const assertion = c.req.header("cf-access-jwt-assertion");
  if (deps.access !== null && assertion !== undefined)
    return readAssertion(assertion, deps.access, deps.now());
  const cookie = getCookie(c, cookieName(c));
  return cookie === undefined ? null : readSession(cookie, roleTokens(deps), deps.now());
}

/** Whether the browser still shows a session, good or not. */
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

/** `__Secure-` keeps it from being set over plain HTTP; the port tells meshes on one machine apart. */
function cookieName(c: Context<DashboardEnv>): string {
  const { port } = new URL(c.req.url);
  return `${isSecure(c) ? "__Secure-" : ""}waggle${port === "" ? "" : `-${port}`}`;
}

function isSecure(c: Context<DashboardEnv>): boolean {
  return new URL(c.req.url).protocol === "https:";
}

/** Who was let in; behind the door there is always somebody. */
export function requireIdentity(c: Context<DashboardEnv>): Identity {
  const identity = c.get("identity");
  if (identity === undefined) throw new Error("a page was reached past the door");
  return identity;
}
