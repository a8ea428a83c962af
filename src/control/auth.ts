// Authentication: who a bearer token makes of its sender, and what that one may do.

import type { MiddlewareHandler } from "hono";
import { MeshError } from "../domain/model/error.ts";
import { matchesHash, secretHash } from "../registry/secrets.ts";
import type { ControlDeps, ControlEnv, Role } from "./context.ts";
import { problem } from "./errors.ts";

const tokenHint = 'with the Docker CLI: export DOCKER_CUSTOM_HEADERS="Authorization=Bearer TOKEN"';

/**
 * Lets in who shows a token. 401 says how to give one (RFC 6750 §3); 403 is for a viewer who tries to act.
 */
export function authentication(deps: ControlDeps): MiddlewareHandler<ControlEnv> {
  const roleOf = roleReader(deps);
  return async (c, next) => {
    if (deps.operatorToken === "") {
      return problem(c, 503, "this mesh has no operator token yet: set the secret OPERATOR_TOKEN");
    }
    const token = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const role = token === undefined ? null : roleOf(token);
    if (role === null) {
      const why = token === undefined ? "this mesh wants its operator token" : "this token is not the mesh's";
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

/** For what a viewer may not even look at. */
export const operatorOnly: MiddlewareHandler<ControlEnv> = async (c, next) => {
  if (c.get("role") !== "operator") throw forbidden();
  await next();
};

/**
 * Says whose a token is; null: nobody's. Digests are compared, and both whatever the first says, so that the time taken
 * tells nothing of a token.
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
    "the viewer token may look but not act: this needs the operator token",
    {
      blame: "operator",
      retry: "never",
    },
  );
}
