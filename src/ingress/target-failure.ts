// Responses of a target that cannot be passed on: the runtime would change them or fail.

import type { Failure } from "../proxy/http/failure.ts";
import type { ForwardState } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/**
 * The 502 in place of a response, whose body is discarded; null if the response can be passed on. The task
 * has carried the request out, so no other one gets it.
 *
 * @see docs/spec.md X127
 */
export function targetFailure(
  { head, waitUntil }: ProxyRequest,
  { choice, target }: ForwardState,
  { status, headers, body }: Response,
): Failure | null {
  const what = unsupported(status, headers.get("transfer-encoding"), head.websocket);
  if (what === null) return null;
  waitUntil(body?.cancel().catch(() => undefined) ?? Promise.resolve());
  return {
    status: 502,
    reason: `a ${target?.server ? "server" : "task"} of ${choice?.route.service.name} responded with ${what}`,
  };
}

function unsupported(status: number, coding: string | null, isWebSocket: boolean): string | null {
  if (status > 599) return `status ${status}; HTTP has statuses up to 599`;
  if (status === 101) return isWebSocket ? null : "status 101 to a request without an upgrade";
  // The runtime removes the chunks, and with them the name of the other coding (RFC 9112 §6.1).
  if (coding === null || /^(?:chunked|identity)$/i.test(coding)) return null;
  return `Transfer-Encoding "${coding}", which cannot be passed on; chunked can, and Content-Encoding`;
}
