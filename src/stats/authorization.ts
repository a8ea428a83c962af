// Authorization of the statistics: HTTP Basic, as with HAProxy's `stats auth`, or a bearer token.

import { roleReader } from "../control/auth.ts";
import type { Role } from "../control/context.ts";

export type RoleReader = (token: string) => Role | null;

/**
 * The role of a request's credentials; null if they are missing or wrong. With Basic the password is a token
 * of the mesh, and the user name is ignored, since some exporters require one.
 */
export function roleOfCredentials(authorization: string | null, roleOf: RoleReader): Role | null {
  const token = tokenOf(authorization ?? "");
  return token === null ? null : roleOf(token);
}

function tokenOf(authorization: string): string | null {
  const [, scheme = "", credentials = ""] = /^(basic|bearer) +([^ ]+) *$/i.exec(authorization) ?? [];
  if (scheme === "") return null;
  if (scheme.toLowerCase() === "bearer") return credentials;
  const pair = decodeBase64(credentials);
  const colon = pair.indexOf(":");
  return colon === -1 ? null : pair.slice(colon + 1);
}

function decodeBase64(text: string): string {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return "";
  }
}

/** The mesh's tokens as secrets of a Worker. */
type TokenSecrets = { readonly OPERATOR_TOKEN?: string; readonly VIEWER_TOKEN?: string };

/**
 * Removes the mesh's own token from a request. A browser that signed in to the statistics sends its
 * credentials to every page of the same origin (RFC 7617 §2.2), and here those pages belong to services.
 * Other credentials are left alone.
 *
 * @see docs/decisions/0042-tokens-on-a-shared-origin.md
 */
export function withoutToken(
  request: Request,
  { OPERATOR_TOKEN = "", VIEWER_TOKEN = "" }: TokenSecrets,
): Request {
  const authorization = request.headers.get("authorization");
  if (authorization === null || !/^basic /i.test(authorization)) return request;
  const roleOf = roleReader({ operatorToken: OPERATOR_TOKEN, viewerToken: VIEWER_TOKEN });
  if (roleOfCredentials(authorization, roleOf) === null) return request;
  const stripped = new Request(request);
  stripped.headers.delete("authorization");
  return stripped;
}
