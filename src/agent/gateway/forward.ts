// Sends the request of an attempt to its task, and the task's response back.

import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { gatewayHeader, ownHeaderPrefix, printOutcome } from "../../gateway/attempt.ts";
import { resetStream } from "../../net/join-streams.ts";
import type { GatewayExchange, ResponseHead } from "./exchange.ts";
import { maxGatewayHeadBytes } from "./limits.ts";
import { type AttemptHead, isConnectionHeader, withoutNamed } from "./request-head.ts";
import { type TaskEndpoint, TaskUnreachableError } from "./task-connection.ts";
import type { TaskPool } from "./task-pool.ts";

/** How the request gets to its task: over a connection of its own, or over one of the pool. */
export type TaskPath =
  | { readonly socket: Socket; readonly pool: null }
  | { readonly socket: null; readonly pool: TaskPool; readonly endpoint: TaskEndpoint };

export type ForwardListeners = {
  /** The request gets no response. @param reason of `broken`: a predicate whose subject is the task */
  readonly onFailure: (outcome: "refused" | "broken", reason: string) => void;
  /** Called once, when the exchange is over. */
  readonly onClose: () => void;
};

/** Trailers that would change how a message is read (RFC 9110 §6.5.1). */
const forbiddenTrailers: ReadonlySet<string> = new Set(["content-length", "host", "content-encoding"]);

/**
 * Forwards a request with its body, and the response with its own, both ways at once. A router that is gone
 * ends the connection to the task, and a task that breaks off its response ends the router's.
 */
export function forwardToTask(
  exchange: GatewayExchange,
  head: AttemptHead,
  mark: string,
  path: TaskPath,
  { onFailure, onClose }: ForwardListeners,
): void {
  const upstream = openRequest(head, path);
  /** The exchange is over, or has its response. */
  let isAnswered = false;
  let response: IncomingMessage | null = null;
  const fail = (outcome: "refused" | "broken", reason: string): void => {
    if (isAnswered) return;
    isAnswered = true;
    abandon(upstream);
    onFailure(outcome, reason);
  };
  exchange.onClose = () => {
    isAnswered = true;
    if (response?.complete !== true || !upstream.writableFinished) abandon(upstream);
    onClose();
  };
  upstream.on("response", (received) => {
    if (isAnswered) return;
    response = received;
    if ((received.statusCode ?? 0) < 200) {
      fail("broken", `sent a response that cannot be read: its status is ${received.statusCode}`);
      return;
    }
    isAnswered = true;
    path.pool?.noteResponse(received);
    exchange.respond(responseHead(received, mark), received);
  });
  upstream.on("upgrade", (received, socket: Socket, first: Buffer) => {
    if (isAnswered || !exchange.isUpgrade) {
      socket.destroy();
      fail("broken", "switched protocols, and the request did not ask for that");
      return;
    }
    isAnswered = true;
    exchange.onClose = onClose;
    exchange.switchProtocols(responseHead(received, mark), socket, first);
  });
  upstream.on("error", (error) => {
    if (error instanceof TaskUnreachableError) fail("refused", error.message);
    else fail("broken", failureReason(error));
  });
  sendBody(exchange, head, upstream);
}

/** Nothing is sent before the first byte of the body, or the end. */
function openRequest({ request: { method, target }, headers }: AttemptHead, path: TaskPath): ClientRequest {
  const options = {
    method,
    path: target,
    headers: headers as string[],
    setHost: false,
    maxHeaderSize: maxGatewayHeadBytes,
  };
  const upstream =
    path.pool === null
      ? request({ ...options, createConnection: () => path.socket })
      : request({ ...options, ...path.endpoint, agent: path.pool });
  upstream.maxHeadersCount = 0;
  return upstream;
}

function sendBody({ body }: GatewayExchange, { hasBody }: AttemptHead, upstream: ClientRequest): void {
  if (!hasBody) {
    upstream.end();
    return;
  }
  body.pipe(upstream, { end: false });
  body.once("end", () => {
    if (upstream.destroyed) return;
    const trailers = trailerLines(body.rawTrailers ?? []);
    if (trailers.length > 0) upstream.addTrailers(trailers);
    upstream.end();
  });
}

/** Ends a request whose response is not wanted. */
function abandon(upstream: ClientRequest): void {
  if (upstream.destroyed) return;
  // A request that has ended still names its connection, which may carry another one.
  if (upstream.socket !== null) resetStream(upstream.socket);
  upstream.destroy();
}

/** The response head for the router: without connection headers, and with no word of the mesh but its own. */
function responseHead(response: IncomingMessage, mark: string): ResponseHead {
  const { statusCode: status = 0, statusMessage: reason = "", rawHeaders } = response;
  const kept: string[] = [];
  let connection: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const lower = name.toLowerCase();
    if (lower === "connection") {
      const value = rawHeaders[index + 1] as string;
      connection = connection === null ? value : `${connection},${value}`;
    }
    if (lower === "upgrade" && status === 101) kept.push("Connection", "Upgrade");
    else if (isConnectionHeader(lower) || lower.startsWith(ownHeaderPrefix)) continue;
    kept.push(name, rawHeaders[index + 1] as string);
  }
  const headers = connection === null ? kept : withoutNamed(kept, connection);
  headers.push(gatewayHeader, printOutcome("task", mark));
  return { status, reason, rawHeaders: headers };
}

/** Trailer lines that may pass, as pairs of name and value. */
export function trailerLines(rawTrailers: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index < rawTrailers.length; index += 2) {
    const [name, value] = [rawTrailers[index] as string, rawTrailers[index + 1] as string];
    const lower = name.toLowerCase();
    const isDropped =
      isConnectionHeader(lower) || forbiddenTrailers.has(lower) || lower.startsWith(ownHeaderPrefix);
    if (!isDropped) pairs.push([name, value]);
  }
  return pairs;
}

function failureReason(error: NodeJS.ErrnoException & { reason?: string }): string {
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return `sent a response head larger than ${maxGatewayHeadBytes / 1024} KiB`;
  }
  if (error.code?.startsWith("HPE_") === true) return `sent a response that cannot be read: ${error.reason}`;
  return "ended the connection after the request was sent and before it responded";
}
