// An exchange: one request on its way, and what is known about it by now.

import type { EntryPoint } from "../proxy/entry-point.ts";
import { type RequestHead, readRequestHead } from "../proxy/http/headers.ts";
import { authorityOf, pathOf } from "../proxy/http/host.ts";
import type { DataPlane, PlaneContext } from "../proxy/plane.ts";
import type { RouteHints } from "../proxy/routing/route-hints.ts";
import type { Route } from "../proxy/routing/routes.ts";
import type { MeteredEntity } from "../telemetry/meter.ts";
import type { Forwarding } from "./attempt.ts";
import { type Outgoing, requestIdOf } from "./outgoing.ts";
import { Trace } from "./trace.ts";

export type Exchange = {
  readonly request: Request;
  readonly entry: EntryPoint;
  readonly plane: DataPlane;
  readonly head: RequestHead;
  readonly requestId: string;
  /** As the client sent it, with its port. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  outgoing: Outgoing | null;
  /** What was asked with the table last looked at. */
  asking: Forwarding | null;
  route: Route | null;
  wish: RouteHints | null;
  /** The sticky cookie that the client is given, as Set-Cookie has it. */
  setCookie: string | null;
  /** One draw for the request, whatever is drawn. */
  draw: number | null;
  /** The service's tasks were full; no fresher table helps. */
  turnedAway: boolean;
  /** Null unless the request asks for it. */
  readonly trace: Trace | null;
  readonly waitUntil: PlaneContext["waitUntil"];
  /** When it came, epoch milliseconds; only where it is counted. */
  readonly cameMs: number;
  /** Where it came in; null until that is known. */
  node: MeteredEntity | null;
  /** The meter's turn since when it is counted as waiting for a task; negative: it is not. */
  turn: number;
};

/** A request that has just come. */
export function begin(request: Request, entry: EntryPoint, { plane, waitUntil }: PlaneContext): Exchange {
  const head = readRequestHead(request.headers);
  if (head.bodyBytes === 0 && request.body !== null && !request.headers.has("content-length")) {
    head.bodyBytes = null; // HTTP/2 needs neither Content-Length nor Transfer-Encoding to send one.
  }
  const { url } = request;
  return {
    request,
    entry,
    plane,
    head,
    requestId: requestIdOf(head, plane.newId),
    host: head.host === "" ? authorityOf(url) : head.host,
    path: pathOf(url),
    outgoing: null,
    asking: null,
    route: null,
    wish: null,
    setCookie: null,
    draw: null,
    turnedAway: false,
    trace: head.debug ? new Trace(plane.nowMs) : null,
    waitUntil,
    cameMs: plane.meter === null ? 0 : plane.nowMs(),
    node: null,
    turn: -1,
  };
}
