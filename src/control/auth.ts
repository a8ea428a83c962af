// Authentication of control requests by bearer token or by Basic credentials whose password is the token, and
// authorization by role.

import type { MiddlewareHandler } from "hono";
import { MeshError } from "../domain/model/error.ts";
import { tokenProblem } from "../domain/model/mesh-token.ts";
import { matchesHash, secretHash } from "../registry/secrets.ts";
import type { ControlDeps, ControlEnv, Role } from "./context.ts";
import { problem } from "./errors.ts";
import { GuessLimit } from "./guess-limit.ts";

const tokenHint = 'with the Docker CLI: export DOCKER_CUSTOM_HEADERS="Authorization=Bearer TOKEN"';

/**
 * Requires a token: a 401 says how to send one (RFC 6750 §3), a 403 that a viewer may only GET and HEAD, a 429
 * that this client has sent too many wrong ones.
 */
export function authentication(deps: ControlDeps): MiddlewareHandler<ControlEnv> {
  const check = tokenChecker(deps);
  const unusable = tokenProblem(deps);
  return async (c, next) => {
    if (unusable !== null) return problem(c, 503, unusable);
    const token = tokenOf(c.req.raw.headers);
    if (token === null) {
      c.header("www-authenticate", 'Bearer realm="waggle"');
      return problem(c, 401, `this mesh requires its operator token; ${tokenHint}`);
    }
    const { role, retryAfterS } = check(token, c.env.client);
    if (retryAfterS !== null) {
      c.header("retry-after", String(retryAfterS));
      return problem(c, 429, tooManyTokens(retryAfterS));
    }
    if (role === null) {
      c.header("www-authenticate", 'Bearer realm="waggle", error="invalid_token"');
      return problem(c, 401, `this token does not belong to this mesh; ${tokenHint}`);
    }
    c.set("role", role);
    if (role !== "operator" && c.req.method !== "GET" && c.req.method !== "HEAD") throw forbidden();
    return next();
  };
}

/**
 * The token of a request; null without one. Clients that know no bearer tokens, such as Traefik, send it as the
 * password of Basic credentials, with any user name (RFC 7617). No response asks for these: a browser would store
 * them, and then send them with the requests of any page. For the same reason those of another site do not count.
 */
function tokenOf(headers: Headers): string | null {
  const authorization = headers.get("authorization") ?? "";
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization)?.[1];
  const site = headers.get("sec-fetch-site") ?? "none";
  if (basic === undefined || (site !== "none" && site !== "same-origin")) return null;
  return passwordOf(basic);
}

/** The password of Basic credentials; null if they cannot be read. */
function passwordOf(credentials: string): string | null {
  try {
    const [, password = ""] = /^[^:]*:(.*)$/s.exec(atob(credentials)) ?? [];
    return password === "" ? null : password;
  } catch {
    return null;
  }
}

/** The reason of a 429, without a final period. */
export function tooManyTokens(retryAfterS: number): string {
  return `too many wrong tokens came from this address: try again in ${retryAfterS} s; the right token is accepted at any time`;
}

/** For routes that a viewer may not read. */
export const operatorOnly: MiddlewareHandler<ControlEnv> = async (c, next) => {
  if (c.get("role") !== "operator") throw forbidden();
  await next();
};

/** A checked token: its role, or for a wrong one the seconds to wait before another, null if none. */
export type CheckedToken =
  | { readonly role: Role; readonly retryAfterS: null }
  | { readonly role: null; readonly retryAfterS: number | null };

/** Checks a token of a client. Clients whose address is unknown (null) count as one. */
export type TokenChecker = (token: string, client: string | null) => CheckedToken;

/**
 * Returns a function that checks tokens. It always compares both digests, so the time taken does not leak
 * anything about a token. It counts wrong tokens, and accepts the right one however many were wrong.
 */
export function tokenChecker({
  operatorToken,
  viewerToken = "",
  guesses = new GuessLimit(),
  now,
}: Pick<ControlDeps, "operatorToken" | "viewerToken" | "guesses" | "now">): TokenChecker {
  const operatorHash = secretHash(operatorToken);
  const viewerHash = viewerToken === "" ? "" : secretHash(viewerToken);
  return (token, client) => {
    const isOperator = matchesHash(token, operatorHash);
    const isViewer = matchesHash(token, viewerHash);
    const role = isOperator ? "operator" : isViewer ? "viewer" : null;
    return role === null
      ? { role, retryAfterS: guesses.count(client ?? "unknown", now()) }
      : { role, retryAfterS: null };
  };
}

function forbidden(): MeshError {
  return new MeshError(
    "token/forbidden",
    "the viewer token is read-only: this request needs the operator token",
    {
      blame: "operator",
      retry: "never",
    },
  );
}
