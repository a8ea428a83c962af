// Authentication of control requests by bearer token, and authorization by role.

import type { MiddlewareHandler } from "hono";
import { MeshError } from "../domain/model/error.ts";
import { matchesHash, secretHash } from "../registry/secrets.ts";
import type { ControlDeps, ControlEnv, Role } from "./context.ts";
import { problem } from "./errors.ts";

const tokenHint = 'with the Docker CLI: export DOCKER_CUSTOM_HEADERS="Authorization=Bearer TOKEN"';

/** Requires a token: a 401 says how to send one (RFC 6750 §3), a 403 that a viewer may only GET and HEAD. */
export function authentication(deps: ControlDeps): MiddlewareHandler<ControlEnv> {
  const roleOf = roleReader(deps);
  return async (c, next) => {
    if (deps.operatorToken === "") {
      return problem(c, 503, "this mesh has no operator token yet: set the secret OPERATOR_TOKEN");
    }
    const token = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const role = token === undefined ? null : roleOf(token);
    if (role === null) {
      const why =
        token === undefined
          ? "this mesh requires its operator token"
          : "this token does not belong to this mesh";
      c.header(
        "www-authenticate",
        `Bearer realm="waggle"${token === undefined ? "" : ', error="invalid_token"'}`,
      );
      return problem(c, 401, `${why}; ${tokenHint}`);
    }
    c.set("role", role);
    if (role !== "operator" && c.req.method !== "GET" && c.req.method !== "HEAD") throw forbidden();
    return next();
  };
}

/** For routes that a viewer may not read. */
export const operatorOnly: MiddlewareHandler<ControlEnv> = async (c, next) => {
  if (c.get("role") !== "operator") throw forbidden();
  await next();
};

/**
 * Returns a function from token to role; null for an unknown token. It always compares both digests, so the
 * time taken does not leak anything about a token.
 */
export function roleReader({
  operatorToken,
  viewerToken = "",
}: Pick<ControlDeps, "operatorToken" | "viewerToken">): (token: string) => Role | null {
  const operatorHash = secretHash(operatorToken);
  const viewerHash = viewerToken === "" ? "" : secretHash(viewerToken);
  return (token) => {
    const isOperator = matchesHash(token, operatorHash);
    const isViewer = matchesHash(token, viewerHash);
    return isOperator ? "operator" : isViewer ? "viewer" : null;
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
