// Forwards one request of a listener to the Workers runtime, and its response to the client.

import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Readable } from "node:stream";
import { idempotentMethods } from "../proxy/http/methods.ts";
import type { Abort } from "./client-connection.ts";
import type { ParseError } from "./parse-refusal.ts";
import type { Refusal, RuntimeRequest } from "./read-request.ts";
import { type RuntimeAgent, RuntimeDownError } from "./runtime-agent.ts";

/** Sends one refusal as the response, if none has begun. */
export type Refuse = (refusal: Refusal) => void;

/** A request and its response at the client's side: of an HTTP/1.1 connection, or a stream of HTTP/2. */
export type ClientExchange = {
  /** The body of the request. */
  readonly body: Readable;
  /** True if a response has begun. */
  readonly hasResponse: () => boolean;
  readonly refuse: Refuse;
  /** Passes a response with its body. One that breaks off must not look complete to the client. */
  readonly respond: (response: IncomingMessage) => void;
  /** Calls back when the client is gone before it has the whole response. */
  readonly onLost: (abort: Abort) => void;
};

/** Attempts of a request that may be repeated, when the runtime ends its connections. */
const maxRuntimeAttempts = 3;

/** Limit of a response head; workerd's own is 128 KiB. */
const maxResponseHeaderBytes = 256 * 1024;

/**
 * Bytes of a body that the runtime still reads after it has responded, so that the connection stays usable. If
 * more is left it ends the connection, also if the next request is on it already.
 */
const drainedBytes = 64 * 1024;

/** Bytes of a body that is measured before it is sent. */
const maxMeasuredBytes = 64 * 1024;

/**
 * Forwards a request and its body, piece by piece and both ways at once. A client that disconnects resets
 * the connection to the runtime, which ends the task's work.
 */
export function forwardRequest(client: ClientExchange, head: RuntimeRequest, agent: RuntimeAgent): Abort {
  let attempts = 0;
  let upstream: ClientRequest | null = null;
  let isAborted = false;
  const abort = (): void => {
    isAborted = true;
    if (upstream !== null) reset(upstream);
  };
  client.onLost(abort);
  const send = (request: RuntimeRequest, body: Buffer | null): void => {
    attempts += 1;
    const sent = openRequest(request, agent);
    upstream = sent;
    sent.on("response", (response) => {
      if (mayBeUnread(request)) sent.shouldKeepAlive = false;
      const refusal = responseRefusal(response);
      if (refusal === null) client.respond(response);
      else client.refuse(refusal);
    });
    sent.on("error", (error) => {
      if (isAborted || client.hasResponse()) return;
      if (mayRepeat(request, attempts, error)) send(request, body);
      else client.refuse(runtimeFailure(error, request.method));
    });
    if (request.body === "streamed") client.body.pipe(sent);
    else sent.end(body);
  };
  if (head.body === "measured") {
    measureBody(client.body, (body) => {
      if (isAborted) return;
      if (body === null) client.refuse(tooLong(head.method));
      else send(body.length === 0 ? head : withLength(head, body.length), body);
    });
  } else {
    send(head, null);
  }
  return abort;
}

/** Reads a body; null if it exceeds the limit. Not called back if the client disconnects. */
function measureBody(sent: Readable, onEnd: (body: Buffer | null) => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  sent.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes <= maxMeasuredBytes) parts.push(part);
    else parts.length = 0;
  });
  sent.once("end", () => onEnd(bytes <= maxMeasuredBytes ? Buffer.concat(parts) : null));
}

function tooLong(method: string): Refusal {
  const limit = `${maxMeasuredBytes / 1024} KiB`;
  return {
    status: 413,
    reason: `a ${method} body of unknown length may have ${limit}; state its Content-Length`,
  };
}

function withLength(request: RuntimeRequest, bytes: number): RuntimeRequest {
  return { ...request, headers: [...request.headers, "content-length", String(bytes)] };
}

/** A request to the runtime; its head is sent with the first byte of the body. */
export function openRequest({ method, target, headers }: RuntimeRequest, agent: RuntimeAgent): ClientRequest {
  const options = { agent, method, path: target, headers: [...headers], setHost: false };
  return request({ ...options, maxHeaderSize: maxResponseHeaderBytes });
}

/** True if the runtime ended before it responded: a restart, or a connection that it had just closed. */
function mayRepeat({ method, body }: RuntimeRequest, attempts: number, error: Error): boolean {
  const isOver = attempts >= maxRuntimeAttempts || error instanceof RuntimeDownError || isUnreadable(error);
  return !isOver && body !== "streamed" && idempotentMethods.has(method);
}

/** The refusal after a failed connection to the runtime. */
export function runtimeFailure(error: ParseError, method: string): Refusal {
  if (error instanceof RuntimeDownError) {
    return { status: 503, reason: "the mesh is restarting and did not come back in time" };
  }
  if (isUnreadable(error)) {
    return { status: 502, reason: `the response cannot be read: ${error.reason}` };
  }
  const reason = `the mesh restarted while it handled this ${method}; whether a task got it is not known`;
  return { status: 502, reason };
}

/** True for an error of the parser. */
function isUnreadable(error: ParseError): boolean {
  return error.code?.startsWith("HPE_") === true;
}

/** True if the runtime may have responded before it read the body, and may then end the connection. */
function mayBeUnread({ body, headers }: RuntimeRequest): boolean {
  if (body !== "streamed") return false;
  const at = headers.findIndex((name, index) => index % 2 === 0 && /^content-length$/i.test(name));
  return at < 0 || Number(headers[at + 1]) > drainedBytes;
}

/** The refusal of a response that no request asks for here; null for all others. */
function responseRefusal({ statusCode }: IncomingMessage): Refusal | null {
  if (statusCode !== 101) return null;
  return { status: 502, reason: "the task switched protocols, and the request did not ask for it" };
}

/**
 * Ends a request so that the runtime notices at once: it does not notice an orderly close. A request that has
 * ended still names its connection, which may carry the request of another client.
 */
export function reset(upstream: ClientRequest): void {
  if (upstream.destroyed) return;
  if (upstream.socket?.destroyed === false) upstream.socket.resetAndDestroy();
  upstream.destroy();
}
