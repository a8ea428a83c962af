// The upstream request: the request that a target gets, and whether another target may get it as well.

import type { EntryPoint } from "../proxy/entry-point.ts";
import { withJoinedLines, withoutCookie } from "../proxy/http/cookies.ts";
import { setForwarding } from "../proxy/http/forwarding.ts";
import { isUtf8 } from "../proxy/http/header-text.ts";
import { loopHeader } from "../proxy/http/loop-marks.ts";
import { safeMethods } from "../proxy/http/methods.ts";
import { dropOwnCredentials } from "./own-credentials.ts";
import type { ProxyRequest } from "./proxy-request.ts";

export type UpstreamRequest = {
  /** May be sent to another target when one fails before it responds. */
  readonly isRepeatable: boolean;
  /** A second target may get it while the first has not responded. */
  readonly isHedgeable: boolean;
  /** The client's body streams: it may be the cause of a failure and of the time that passes. */
  readonly streams: boolean;
  /** With a streaming body it can be used once. */
  readonly init: RequestInit;
};

/** Headers of this hop. */
export type HopHeaders = {
  /** `my-web.waggle` */
  readonly loopMark: string;
  /** The task is sent an entry in Via, `1.1 my-web.waggle`. */
  readonly sendsVia: boolean;
  /** Name of the sticky cookie, which targets do not get; null if the service has none. */
  readonly stickyCookie: string | null;
};

/**
 * Has the runtime leave the body of a response as it is. Without this, a body with a Content-Encoding that is read to
 * count its bytes would be decoded for the isolate and encoded again for the client.
 */
const encoded = { encodeResponseBody: "manual" } as RequestInit;

/**
 * Builds the request that targets get.
 *
 * @param body the buffered body, or the pipe that it streams through; null without a body, or for a GET or
 *   HEAD whose body streams
 *
 * @see docs/decisions/0030-request-path.md
 */
export function upstreamRequest(
  incoming: ProxyRequest,
  hop: HopHeaders,
  body: ArrayBuffer | ReadableStream<Uint8Array> | null,
): UpstreamRequest {
  const { request, method, head, bodyBytes, isIdempotent } = incoming;
  const isWhole = bodyBytes === 0 || body instanceof ArrayBuffer;
  const isRepeatable = isIdempotent && isWhole;
  // Headers are copied whole, because iterating over them joins repeated ones. Only a copy of the request can
  // carry the body of a GET.
  const copy =
    isWhole || body !== null ? { headers: new Headers(request.headers) } : new Request(request, encoded);
  setHeaders(copy.headers, incoming, hop);
  return {
    isRepeatable,
    // The response to a WebSocket request is a connection: two targets would each see a client come and go.
    isHedgeable: isRepeatable && safeMethods.has(method) && !head.websocket,
    streams: !isWhole,
    init:
      copy instanceof Request
        ? copy
        : { method, headers: copy.headers, body, redirect: "manual", ...encoded },
  };
}

/**
 * Removes the headers that end at this hop, then sets the mesh's own, so that a client cannot override them.
 */
function setHeaders(
  headers: Headers,
  incoming: ProxyRequest,
  { loopMark, sendsVia, stickyCookie }: HopHeaders,
): void {
  const { head, entry, host, id, plane } = incoming;
  const isTrusted = plane.trusts(entry.client);
  for (const name of head.hopByHop) headers.delete(name);
  if (!isTrusted) for (const name of head.clientClaims) headers.delete(name);
  setForwarding(headers, entry, host, isTrusted ? head : null);
  headers.set(loopHeader, head.loopMarks === null ? loopMark : `${head.loopMarks}, ${loopMark}`);
  if (sendsVia) headers.set("via", `${head.via === null ? "" : `${head.via}, `}1.1 ${loopMark}`);
  headers.set("x-request-id", id);
  if (stickyCookie !== null || entry.joinsCookieLines) rewriteCookies(headers, entry, stickyCookie);
  if (headers.has("cookie") || headers.has("authorization")) dropOwnCredentials(headers, plane.isMeshToken);
}

/** Removes the sticky cookie, and joins several Cookie lines as HTTP/1.1 clients do. */
function rewriteCookies(
  headers: Headers,
  { joinsCookieLines }: EntryPoint,
  stickyCookie: string | null,
): void {
  const cookies = headers.get("cookie");
  if (cookies === null) return;
  const joined = joinsCookieLines ? withJoinedLines(cookies) : cookies;
  const rest = stickyCookie === null ? joined : withoutCookie(joined, stickyCookie);
  if (rest === null) headers.delete("cookie");
  // Setting a value with bytes that are not UTF-8 would lose them, and a target can ignore the sticky cookie.
  else if (rest !== cookies && isUtf8(rest)) headers.set("cookie", rest);
}
