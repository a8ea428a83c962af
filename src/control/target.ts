// The target of a request: its URL, which the runtime makes of Host and the path as the client sent them.

import type { MiddlewareHandler } from "hono";
import { authorityOf } from "../proxy/http/host.ts";
import type { ControlEnv } from "./context.ts";
import { badRequest } from "./errors.ts";

/** A host name or address with an optional port (RFC 9110 §7.2), no longer than DNS allows. */
const hostPattern = /^(?:[\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{0,5})?$/;

/**
 * True if Host is a host and the request target a path. The runtime does not check them: `Host: a/b` would
 * begin the path with `/b`, `Host: [` has no URL, and the target of `OPTIONS *` would end the host name.
 */
export function hasReadableTarget(request: Request): boolean {
  return unreadablePart(request) === null;
}

/** The Host that cannot be read, or the URL's authority; null if both can. */
function unreadablePart({ url, headers }: Request): string | null {
  const authority = authorityOf(url);
  const host = headers.get("host") ?? authority;
  if (!hostPattern.test(host)) return host;
  return hostPattern.test(authority) && URL.parse(url) !== null ? null : authority;
}

/** The path of a request; `/` if its target cannot be read. */
export function targetPath(request: Request): string {
  return hasReadableTarget(request) ? new URL(request.url).pathname : "/";
}

/** Refuses a request whose target cannot be read. Everything after it may parse the URL. */
export const checkTarget: MiddlewareHandler<ControlEnv> = async (c, next) => {
  const part = unreadablePart(c.req.raw);
  if (part === null) return next();
  throw badRequest(
    `cannot read a request to "${part.slice(0, 60)}": write Host as HOST or HOST:PORT, and the request target as a path`,
  );
};
