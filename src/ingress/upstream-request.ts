// The upstream request: the request that a target gets, and whether another target may get it as well.

import type { EntryPoint } from "../proxy/entry-point.ts";
import { withJoinedLines, withoutCookie } from "../proxy/http/cookies.ts";
import type { Failure } from "../proxy/http/failure.ts";
import { setForwarding } from "../proxy/http/forwarding.ts";
import { loopHeader } from "../proxy/http/headers.ts";
import { safeMethods } from "../proxy/http/methods.ts";
import { type BodyWatch, bodyWatch } from "../proxy/limits.ts";
import type { DataPlane } from "../proxy/plane.ts";
import { within } from "./attempt.ts";
import { readBody } from "./client-body.ts";
import { dropOwnCredentials } from "./own-credentials.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import { bodyFailure } from "./refusals.ts";

/** Maximum bytes of bodies that an isolate buffers: an eighth of its 128 MiB. */
export const maxReplayBufferBytes = 16 * 1024 ** 2;

/** Methods whose body `fetch` does not accept in its init, and drops if its length is unknown. */
export const methodsWithoutBody: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** True for a request that `fetch` would send without its body, if it has one. */
export function mayLoseBody({ bodyBytes, method }: ProxyRequest): boolean {
  return bodyBytes === null && methodsWithoutBody.has(method);
}

/** A timer's longest time, milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Reads a body up to its first byte, at most for the time that a body may stall.
 *
 * @returns the request without a body if it is empty, else the failure; the rest of the body is not read
 */
export async function withoutEmptyBody(incoming: ProxyRequest): Promise<ProxyRequest | Failure> {
  const { request, method, plane } = incoming;
  const watch = bodyWatch(plane, {});
  const start = await within(bodyStart(request.body?.getReader()), Math.min(watch.stallMs, maxTimerMs));
  if (start === "empty") return { ...incoming, bodyBytes: 0 };
  if (start === "broken") return bodyFailure("body-broken", watch);
  if (start === "timeout") return bodyFailure("body-stalled", watch);
  const reason = `a ${method} with a body of unknown length cannot be passed on; state its Content-Length`;
  return { status: 411, reason };
}

type BodyReader = { readonly read: () => Promise<{ done: boolean; value?: Uint8Array | undefined }> };

async function bodyStart(reader: BodyReader | undefined): Promise<"empty" | "bytes" | "broken"> {
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) return "empty";
      if (value !== undefined && value.length > 0) return "bytes";
    }
  } catch {
    return "broken";
  }
}

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

/** Whether to buffer a request's body for replay: it is small enough, and the buffer has room for it. */
export function shouldBufferBody(
  { bodyBytes, method, isIdempotent }: ProxyRequest,
  replayBytes: number,
  { replayBuffer }: Pick<DataPlane, "replayBuffer">,
): boolean {
  if (bodyBytes === 0 || bodyBytes === null || methodsWithoutBody.has(method) || !isIdempotent) return false;
  return bodyBytes <= replayBytes && replayBuffer.bytes + bodyBytes <= maxReplayBufferBytes;
}

/** Reads the body, so that it can be sent more than once, and holds it while it is used. */
export async function withBufferedBody(
  { request, bodyBytes, plane }: ProxyRequest,
  watch: BodyWatch,
  use: (body: ArrayBuffer) => Promise<Response | Failure>,
): Promise<Response | Failure> {
  const { replayBuffer } = plane;
  const bytes = bodyBytes ?? 0;
  replayBuffer.bytes += bytes;
  try {
    const body = await readBody(request.body as ReadableStream<Uint8Array>, bytes, watch, plane.nowMs);
    return body instanceof ArrayBuffer ? await use(body) : bodyFailure(body, watch);
  } finally {
    replayBuffer.bytes -= bytes;
  }
}

/**
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
  const copy = isWhole || body !== null ? { headers: new Headers(request.headers) } : new Request(request);
  setHeaders(copy.headers, incoming, hop);
  return {
    isRepeatable,
    // The response to a WebSocket request is a connection: two targets would each see a client come and go.
    isHedgeable: isRepeatable && safeMethods.has(method) && !head.websocket,
    streams: !isWhole,
    init: copy instanceof Request ? copy : { method, headers: copy.headers, body, redirect: "manual" },
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
  if (stickyCookie !== null || entry.joinsCookieLines) setCookies(headers, entry, stickyCookie);
  if (headers.has("cookie") || headers.has("authorization")) dropOwnCredentials(headers, plane.isMeshToken);
}

/** Removes the sticky cookie, and joins lines as the client would have. */
function setCookies(headers: Headers, { joinsCookieLines }: EntryPoint, stickyCookie: string | null): void {
  const cookies = headers.get("cookie");
  if (cookies === null) return;
  const joined = joinsCookieLines ? withJoinedLines(cookies) : cookies;
  const rest = stickyCookie === null ? joined : withoutCookie(joined, stickyCookie);
  if (rest === null) headers.delete("cookie");
  // The character stands for bytes that are not UTF-8. The application needs them more than it minds the cookie.
  else if (rest !== cookies && !rest.includes("\ufffd")) headers.set("cookie", rest);
}
