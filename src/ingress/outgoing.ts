// The outgoing request: what a task is sent, and whether it can be sent to another one as well.

import type { EntryPoint } from "../proxy/entry-point.ts";
import { withoutCookie } from "../proxy/http/cookies.ts";
import { setForwarding } from "../proxy/http/forwarding.ts";
import { isRequestId, type RequestHead } from "../proxy/http/headers.ts";
import type { TrustsAddress } from "../proxy/http/trust.ts";
import type { DataPlane } from "../proxy/plane.ts";

/** A longer body takes its client time to send, of which the task's own cannot be told; bytes. */
const maxTimedBodyBytes = 64 * 1024;

/** Bodies held by all requests of an isolate together: an eighth of the 128 MiB it has. */
export const maxReplayBufferBytes = 16 * 1024 ** 2;

/** Methods that mean the same when they arrive twice (RFC 9110 §9.2.2). */
export const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** Methods whose body the runtime lets through once, and lets nobody set. */
const bodiless = new Set(["GET", "HEAD"]);

/** Methods that ask for nothing to change (RFC 9110 §9.2.1): two tasks may be asked at once. */
export const safe: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export type Outgoing = {
  /** May be sent to another task when one fails before it answers. */
  readonly repeatable: boolean;
  /** A second task may be asked while the first has not answered. */
  readonly hedgeable: boolean;
  /** How soon the task answers is up to the task: the body is not one that streams. */
  readonly timed: boolean;
  /** Path and query, as the client sent them. */
  readonly path: string;
  /** What a task is sent there. With a body that streams it is good for one attempt. */
  readonly init: RequestInit;
};

/** What an outgoing request carries besides what the client sent. */
export type Marks = {
  readonly entry: EntryPoint;
  /** The client's Host, with its port. */
  readonly host: string;
  readonly requestId: string;
  /** This hop's entry in Via, `1.1 my-web.waggle`. */
  readonly via: string;
  readonly trusts: TrustsAddress;
  /** Name of the mesh's own cookie, which goes no further; null: it has none here. */
  readonly cookie: string | null;
};

/**
 * Whether a request's body is read before it is sent, so that it can be sent again: it may be repeated, and there is
 * room to hold it.
 */
export function holdsBody(
  { method }: Request,
  head: RequestHead,
  { replayBytes, replayBuffer }: Pick<DataPlane, "replayBytes" | "replayBuffer">,
): boolean {
  const { bodyBytes } = head;
  if (bodyBytes === 0 || bodyBytes === null || bodiless.has(method) || !mayRepeat(method, head)) return false;
  return bodyBytes <= replayBytes && replayBuffer.bytes + bodyBytes <= maxReplayBufferBytes;
}

/**
 * Prepares a request for sending.
 *
 * @param path path and query, as the client sent them
 * @param held its body where `holdsBody`, else null
 */
export function prepare(
  request: Request,
  head: RequestHead,
  path: string,
  marks: Marks,
  held: ArrayBuffer | null,
): Outgoing {
  const repeatable = mayRepeat(request.method, head) && (head.bodyBytes === 0 || held !== null);
  return {
    repeatable,
    // A WebSocket's answer is the connection itself: the loser of two could not be called back.
    hedgeable: repeatable && safe.has(request.method) && !head.websocket,
    timed: held !== null || (head.bodyBytes !== null && head.bodyBytes <= maxTimedBodyBytes),
    path,
    init:
      head.bodyBytes === 0 || held !== null
        ? whole(request, head, marks, held)
        : streaming(request, head, marks),
  };
}

/** The headers are copied as they are and then changed: going over them all would join those that are repeated. */
function whole(
  { method, headers }: Request,
  head: RequestHead,
  marks: Marks,
  body: ArrayBuffer | null,
): RequestInit {
  const sent = new Headers(headers);
  setHeaders(sent, head, marks);
  return { method, headers: sent, body, redirect: "manual" };
}

/** Takes the client's body along, whatever the method: only a copy of the request may have a body with GET. */
function streaming(request: Request, head: RequestHead, marks: Marks): Request {
  const copy = new Request(request);
  setHeaders(copy.headers, head, marks);
  return copy;
}

function mayRepeat(method: string, head: RequestHead): boolean {
  return idempotent.has(method) || head.idempotencyKey;
}

/** Takes off what stops at the mesh, then puts on what the mesh says, so that nothing of the client's can undo it. */
function setHeaders(headers: Headers, head: RequestHead, marks: Marks): void {
  const { entry, host, requestId, via, trusts } = marks;
  const trusted = trusts(entry.client);
  for (const name of head.hopByHop) headers.delete(name);
  if (!trusted) for (const name of head.clientClaims) headers.delete(name);
  setForwarding(headers, entry, host, trusted ? head : null);
  headers.set("via", head.via === null ? via : `${head.via}, ${via}`);
  headers.set("x-request-id", requestId);
  if (marks.cookie !== null) stripCookie(headers, marks.cookie);
}

function stripCookie(headers: Headers, name: string): void {
  const cookies = headers.get("cookie");
  if (cookies === null || !cookies.includes(name)) return;
  const left = withoutCookie(cookies, name);
  if (left === null) headers.delete("cookie");
  else headers.set("cookie", left);
}

/** The id a request is known by: the one it brought, if that can go on, or a new one. */
export function requestIdOf(head: RequestHead, newId: () => string): string {
  return head.requestId !== null && isRequestId(head.requestId) ? head.requestId : newId();
}
