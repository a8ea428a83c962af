// The same-origin check for forms and sockets.

import type { Context } from "hono";

/**
 * True if the request comes from a page of this host, by its Origin header. A client that sends neither
 * Origin nor Sec-Fetch-Site is not a browser, so no other site can make it send the cookie.
 */
export function isSameOrigin(c: Context): boolean {
  const origin = c.req.header("origin");
  if (origin === undefined) return c.req.header("sec-fetch-site") === undefined;
  // Host and port only: a proxy in front may terminate TLS, so the scheme can differ.
  return URL.parse(origin)?.host === (c.req.header("host") ?? new URL(c.req.url).host);
}
