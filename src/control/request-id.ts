// Request ids: each response and log record carries the id of its request.

import type { MiddlewareHandler } from "hono";
import type { ControlDeps, ControlEnv } from "./context.ts";

/** Ids accepted from clients; others are replaced, so that they cannot write into the log. */
const requestIdPattern = /^[\w.:-]{1,128}$/;

/**
 * Keeps the client's `x-request-id`, or sets one. Also forbids caching, since some responses hold tokens, and
 * guessing of types: a message quotes what the client sent, and a browser must not read it as a page.
 */
export function requestIds({ newId }: ControlDeps): MiddlewareHandler<ControlEnv> {
  return async (c, next) => {
    const clientId = c.req.header("x-request-id") ?? "";
    const requestId = requestIdPattern.test(clientId) ? clientId : newId();
    c.set("requestId", requestId);
    await next();
    // Rebuilding the response to a WebSocket upgrade would lose its socket.
    if (c.res.status === 101) return;
    c.header("x-request-id", requestId);
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
  };
}
