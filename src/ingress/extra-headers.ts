// Headers that only some responses get: the sticky cookie of a service, and the debug headers.

import type { Routes } from "../proxy/routing/routes.ts";
import { setCookie } from "../proxy/routing/sticky.ts";
import { setDebugHeaders } from "./debug.ts";
import type { ForwardState } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/**
 * Adds them to a response.
 *
 * @param stickyCookie name of the cookie; null if the response sets none
 * @param routes the table used last; null before the first
 */
export async function withExtraHeaders(
  response: Response,
  incoming: ProxyRequest,
  state: ForwardState,
  stickyCookie: string | null,
  routes: Routes | null,
): Promise<Response> {
  const { headers } = response;
  if (stickyCookie !== null) await setStickyCookie(headers, incoming, state, stickyCookie);
  if (incoming.head.debug && (await incoming.entry.mayDebug())) {
    setDebugHeaders(headers, incoming, state, routes);
  }
  return response;
}

/** Sets the cookie of the target that responded, unless the client has it already. */
async function setStickyCookie(
  headers: Headers,
  { plane, entry }: ProxyRequest,
  { target, choice }: ForwardState,
  name: string,
): Promise<void> {
  const { cookieKey } = plane.tables;
  if (cookieKey === null || target === null || choice === null) return;
  if (target.taskId === choice.hints?.stickyTarget?.taskId) return;
  const value = await plane.sticky.of(cookieKey, choice.route.service.id, target.taskId);
  headers.append("set-cookie", setCookie(name, value, entry.scheme));
  // Shared caches must not hand the cookie to other clients (HAProxy's `nocache`).
  if (!headers.has("cache-control")) headers.set("cache-control", "private");
}
