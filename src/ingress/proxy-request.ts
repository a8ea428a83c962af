// A proxy request: one request as it came in. `ForwardState` holds what becomes of it.

import type { EntryPoint } from "../proxy/entry-point.ts";
import { isRequestId, type RequestHead, readRequestHead } from "../proxy/http/headers.ts";
import { authorityOf, hasDotSegment, pathOf, rawTargetOf } from "../proxy/http/host.ts";
import { idempotentMethods } from "../proxy/http/methods.ts";
import type { DataPlane, PlaneContext } from "../proxy/plane.ts";
import type { RouteQuery } from "../proxy/routing/routes.ts";
import { Trace } from "./trace.ts";

export type ProxyRequest = RouteQuery & {
  /** The client's request. Its body can be read once. */
  readonly request: Request;
  readonly method: string;
  readonly head: RequestHead;
  /** Path and query as the client sent them, for a target that is not reached by `fetch`. */
  readonly target: string;
  /** Bytes of the body: 0 without one, null if the length is unknown. */
  readonly bodyBytes: number | null;
  /** It may be sent to another target when one fails before it responds, if its body can be sent again. */
  readonly isIdempotent: boolean;
  /** The client's X-Request-Id if it may be passed on, else a new id. */
  readonly id: string;
  readonly entry: EntryPoint;
  readonly receivedMs: number;
  /** Records its attempts; null unless the request asks for debug headers. */
  readonly trace: Trace | null;
  readonly plane: DataPlane;
  /** Keeps the isolate alive for work after the response. */
  readonly waitUntil: PlaneContext["waitUntil"];
};

/** Reads an incoming request. */
export function receive(
  request: Request,
  entry: EntryPoint,
  { plane, waitUntil }: PlaneContext,
): ProxyRequest {
  const { url, method, headers } = request;
  const head = readRequestHead(headers);
  // HTTP/2 needs neither Content-Length nor Transfer-Encoding to send a body.
  const path = pathOf(url);
  const hasUnknownBody = head.bodyBytes === 0 && request.body !== null && !headers.has("content-length");
  return {
    request,
    method,
    head,
    bodyBytes: hasUnknownBody ? null : head.bodyBytes,
    isIdempotent: idempotentMethods.has(method) || head.idempotencyKey,
    id: head.requestId !== null && isRequestId(head.requestId) ? head.requestId : plane.newId(),
    entry,
    port: entry.port,
    host: head.host === "" ? authorityOf(url) : head.host,
    path,
    target:
      url.endsWith(path) && url.indexOf("/", 8) + path.length === url.length ? path : rawTargetOf(url, path),
    receivedMs: plane.nowMs(),
    trace: head.debug ? new Trace(plane.nowMs) : null,
    plane,
    waitUntil,
  };
}

/**
 * The path and query that a gateway or the exit sends: as the client sent them, but without dot segments if a
 * path rule was compared with them.
 *
 * @see docs/decisions/0084-exit-for-static-servers.md
 */
export function sentTarget(incoming: ProxyRequest): string {
  const { target, path, plane } = incoming;
  if (!hasDotSegment(target)) return target;
  return plane.tables.held?.comparesPath(incoming) === false ? target : path;
}
