// Request ids: one in, the same one out, on every answer and in the log.

import type { MiddlewareHandler } from "hono";
import type { ControlDeps, ControlEnv } from "./context.ts";

/** What a client may call its request; anything else is not worth carrying into a log. */
const requestIdPattern = /^[\w.:-]{1,128}$/;

/** Takes `x-request-id` over or makes one. Answers are never kept by a cache: some hold tokens. */
export function requestIds({ newId }: ControlDeps): MiddlewareHandler<ControlEnv> {
  return async (c, next) => {
    const given = c.req.header("x-request-id") ?? "";
    const requestId = requestIdPattern.test(given) ? given : newId();
    c.set("requestId", requestId);
    await next();
    // The answer to a WebSocket upgrade cannot be rebuilt without losing its socket.
    if (c.res.status === 101) return;
    c.header("x-request-id", requestId);
    c.header("cache-control", "no-store");
  };
}
