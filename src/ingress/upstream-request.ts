// The upstream request: what a target is sent, and whether it can be sent to another one as well.

import { withoutCookie } from "../proxy/http/cookies.ts";
import { setForwarding } from "../proxy/http/forwarding.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/** Bodies up to this size arrive at once; a longer one takes its client time to send, bytes. */
const maxTimedBodyBytes = 64 * 1024;

/** Bodies buffered by all requests of an isolate together: an eighth of the 128 MiB it has. */
export const maxReplayBufferBytes = 16 * 1024 ** 2;

/** Methods whose body the runtime passes on once, and lets nothing else set. */
const methodsWithoutBody = new Set(["GET", "HEAD"]);

/** Methods that ask for no change (RFC 9110 §9.2.1): two targets may get the request at once. */
export const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export type UpstreamRequest = {
  /** May be sent to another target when one fails before it responds. */
  readonly isRepeatable: boolean;
  /** A second target may get it while the first has not responded. */
  readonly isHedgeable: boolean;
  /** Only the target determines how soon it responds: the body does not stream from the client. */
  readonly isTimed: boolean;
  /** With a body that streams it is good for one attempt. */
  readonly init: RequestInit;
};

/** What an upstream request carries besides what the client sent. */
export type HopHeaders = {
  /** This hop's entry in Via, `1.1 my-web.waggle`. */
  readonly via: string;
  /** Name of the mesh's own cookie, which stops here; null where the service has none. */
  readonly stickyCookie: string | null;
};

/** Whether to read a request's body before sending it, so that it can be sent again: there must be room to hold it. */
export function shouldBufferBody(
  { bodyBytes, method, isIdempotent }: ProxyRequest,
  { replayBytes, replayBuffer }: Pick<DataPlane, "replayBytes" | "replayBuffer">,
): boolean {
  if (bodyBytes === 0 || bodyBytes === null || methodsWithoutBody.has(method) || !isIdempotent) return false;
  return bodyBytes <= replayBytes && replayBuffer.bytes + bodyBytes <= maxReplayBufferBytes;
}

/** @param body the buffered body; null where there is none or it streams */
export function upstreamRequest(
  incoming: ProxyRequest,
  hop: HopHeaders,
  body: ArrayBuffer | null,
): UpstreamRequest {
  const { request, method, head, bodyBytes, isIdempotent } = incoming;
  const isWhole = bodyBytes === 0 || body !== null;
  const isRepeatable = isIdempotent && isWhole;
  // Headers are copied and then changed: going over them all would join repeated ones. Only a copy of the request can
  // take along a body that streams, whatever the method.
  const copy = isWhole ? { headers: new Headers(request.headers) } : new Request(request);
  setHeaders(copy.headers, incoming, hop);
  return {
    isRepeatable,
    // The response to a WebSocket request is the connection itself: the loser of two could not be cancelled.
    isHedgeable: isRepeatable && safeMethods.has(method) && !head.websocket,
    isTimed: body !== null || (bodyBytes !== null && bodyBytes <= maxTimedBodyBytes),
    init: copy instanceof Request ? copy : { method, headers: copy.headers, body, redirect: "manual" },
  };
}

/** Removes what stops at this hop, then sets the mesh's own headers, so that the client's cannot replace them. */
function setHeaders(headers: Headers, incoming: ProxyRequest, { via, stickyCookie }: HopHeaders): void {
  const { head, entry, host, id, plane } = incoming;
  const isTrusted = plane.trusts(entry.client);
  for (const name of head.hopByHop) headers.delete(name);
  if (!isTrusted) for (const name of head.clientClaims) headers.delete(name);
  setForwarding(headers, entry, host, isTrusted ? head : null);
  headers.set("via", head.via === null ? via : `${head.via}, ${via}`);
  headers.set("x-request-id", id);
  if (stickyCookie !== null) removeCookie(headers, stickyCookie);
}

function removeCookie(headers: Headers, name: string): void {
  const cookies = headers.get("cookie");
  if (cookies === null || !cookies.includes(name)) return;
  const rest = withoutCookie(cookies, name);
  if (rest === null) headers.delete("cookie");
  else headers.set("cookie", rest);
}
