// Same origin: what only our own pages may send.

import type { Context } from "hono";

/**
 * Whether a request that changes something, or opens a socket, comes from a page of this host. Browsers say so in
 * Origin; a program that says nothing is no browser and carries nobody's cookie unasked.
 */
export function isSameOrigin(c: Context): boolean {
  const origin = c.req.header("origin");
  if (origin === undefined) return c.req.header("sec-fetch-site") === undefined;
  // Host and port only: a proxy in front may have ended TLS.
  return URL.parse(origin)?.host === (c.req.header("host") ?? new URL(c.req.url).host);
}
