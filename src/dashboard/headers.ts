// The response headers of every page: content security policy, caching and other browser restrictions.

import type { MiddlewareHandler } from "hono";
import type { DashboardEnv } from "./context.ts";

/** Allows the dashboard's own script and style files only; forbids framing and forms to other sites. */
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

/** Pages are for signed-in users, so no cache may store them; static files set their own Cache-Control. */
export const pageHeaders: MiddlewareHandler<DashboardEnv> = async (c, next) => {
  await next();
  // Rebuilding the response to a WebSocket upgrade would lose its socket.
  if (c.res.status === 101) return;
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  if (new URL(c.req.url).protocol === "https:") c.header("strict-transport-security", "max-age=31536000");
};
