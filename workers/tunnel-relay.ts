// One request of a router in a node's tunnel object: what crosses between the router and a stream of the
// tunnel. The gateway's response is returned as it came.

import { type AttemptKind, attemptHeader, readAttempt } from "../src/gateway/attempt.ts";
import { maxDataBytes } from "../src/gateway/tunnel/frames.ts";
import { printRequestHead, readResponseHead, type TunnelResponseHead } from "../src/gateway/tunnel/heads.ts";
import { type TunnelOutcome, tunnelHeader } from "../src/gateway/tunnel/relay.ts";
import { StreamFailure, type TunnelStream } from "../src/gateway/tunnel/stream.ts";
import type { TunnelEnd } from "../src/gateway/tunnel/tunnel.ts";
import type { BytePool } from "../src/gateway/tunnel/windows.ts";
import { relayMessages } from "./tunnel-messages.ts";

/** What the object gives to each request. */
export type RelayContext = {
  /** Memory for WebSocket messages. */
  readonly messages: BytePool;
  /** Keeps the object in memory. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

/** Attempts that may be made twice: their gateway may get them before the object knows that it does. */
const repeatable: ReadonlySet<AttemptKind> = new Set<AttemptKind>(["repeat", "reserve", "hello"]);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Opens a stream for a request; null if too many are open. */
export function openRequest(end: TunnelEnd, request: Request): TunnelStream | null {
  const { method, headers } = request;
  const kind = readAttempt(headers.get(attemptHeader) ?? "")?.attempt.kind;
  const head = encoder.encode(printRequestHead({ method, lines: [...headers] }));
  const isDelivered = kind !== undefined && repeatable.has(kind) && !isUpgrade(request);
  return end.open(head, { isDelivered, hasBody: request.body !== null || isUpgrade(request) });
}

/** Relays a request and returns the gateway's response, or an outcome of the tunnel in its place. */
export async function relayRequest(
  request: Request,
  stream: TunnelStream,
  context: RelayContext,
): Promise<Response> {
  request.signal.addEventListener("abort", () => stream.reset("canceled"));
  try {
    await stream.accepted;
    stream.deliver();
    if (request.body !== null) context.waitUntil(sendBody(stream, request.body));
    const head = readResponseHead(decoder.decode(await stream.head));
    if (head === null) throw new StreamFailure("broken");
    return head.status === 101 && isUpgrade(request)
      ? upgraded(head, stream, context)
      : respond(request, head, stream, context);
  } catch (error) {
    if (!(error instanceof StreamFailure)) stream.reset("broken");
    return failed(stream, error);
  }
}

function isUpgrade({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Sends the request's body as fast as the agent takes it. */
async function sendBody(stream: TunnelStream, body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader({ mode: "byob" });
  try {
    for (;;) {
      const { done, value } = await reader.read(
        new Uint8Array(Math.min(maxDataBytes, await stream.writable())),
      );
      if (done) break;
      stream.write(value);
    }
    stream.end();
  } catch (error) {
    // The router's client broke off, or the stream ended before the body did.
    stream.reset("canceled");
    await reader.cancel(error).catch(() => {});
  }
}

/** Statuses whose responses have no body (Fetch standard). */
const nullBodyStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

function respond(
  request: Request,
  head: TunnelResponseHead,
  stream: TunnelStream,
  { waitUntil }: RelayContext,
): Response {
  const headers = headersOf(head);
  const init: ResponseInit = { status: head.status, statusText: head.reason, headers, encodeBody: "manual" };
  if (request.method === "HEAD" || nullBodyStatuses.has(head.status)) {
    waitUntil(discardBody(stream));
    return new Response(null, init);
  }
  const length = headers.get("content-length") ?? "";
  const { readable, writable } = /^\d{1,15}$/.test(length)
    ? new FixedLengthStream(Number(length))
    : new IdentityTransformStream();
  const response = new Response(readable, init);
  waitUntil(receiveBody(stream, writable.getWriter()));
  return response;
}

function headersOf({ lines }: TunnelResponseHead): Headers {
  const headers = new Headers();
  for (const [name, value] of lines) if (name.toLowerCase() !== tunnelHeader) headers.append(name, value);
  return headers;
}

/** Writes the response's body as fast as the router reads it. */
async function receiveBody(
  stream: TunnelStream,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  // The router has gone: there may be no write that would fail.
  writer.closed.catch(() => stream.reset("canceled"));
  try {
    for (let data = await stream.read(); data !== null; data = await stream.read()) {
      await writer.write(data.bytes);
      stream.passOn(data);
    }
    await writer.close();
  } catch (error) {
    stream.reset("canceled");
    await writer.abort(error).catch(() => {});
  }
}

/** A response without a body ends in the tunnel as any other. */
async function discardBody(stream: TunnelStream): Promise<void> {
  try {
    for (let data = await stream.read(); data !== null; data = await stream.read()) stream.passOn(data);
  } catch {
    // The response is complete without it.
  }
}

function upgraded(
  head: TunnelResponseHead,
  stream: TunnelStream,
  { messages, waitUntil }: RelayContext,
): Response {
  const [clientEnd, ownEnd] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
  waitUntil(relayMessages(ownEnd, stream, messages));
  const headers = headersOf(head);
  for (const name of ["connection", "upgrade", "sec-websocket-accept"]) headers.delete(name);
  return new Response(null, { status: 101, webSocket: clientEnd, headers });
}

/** The response to a request that got none of the gateway. */
function failed(stream: TunnelStream, error: unknown): Response {
  const reason = stream.failure?.reason;
  const outcome: TunnelOutcome = stream.isDelivered ? "broken" : reason === "refused" ? "full" : "lost";
  const text = `the node's tunnel did not bring a response: ${(error as Error).message}\n`;
  return new Response(text, {
    status: outcome === "broken" ? 502 : 503,
    headers: { [tunnelHeader]: outcome },
  });
}
