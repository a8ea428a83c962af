// Headers of every page: what the browser may do with it.

import type { MiddlewareHandler } from "hono";
import type { DashboardEnv } from "./context.ts";

/** No script and no style but our own files; nobody may put a page into a frame or send a form elsewhere. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const headers = {
  "content-security-policy": contentSecurityPolicy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
} as const;

/** Pages hold what only who signed in may see, so no cache keeps one; files under a hash of their own are kept. */
export const pageHeaders: MiddlewareHandler<DashboardEnv> = async (c, next) => {
  await next();
  // The answer to a WebSocket upgrade cannot be rebuilt without losing its socket.
  if (c.res.status === 101) return;
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  if (new URL(c.req.url).protocol === "https:") c.header("strict-transport-security", "max-age=31536000");
};
