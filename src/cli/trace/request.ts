// Sends one request on its own connection and measures the steps of its response.

import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import { unprintable } from "../../domain/model/printable.ts";
import { parseJson } from "../json.ts";

export type TraceRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Null for no body. */
  readonly body: string | null;
};

export type TraceResponse = {
  readonly status: number;
  readonly statusText: string;
  readonly httpVersion: string;
  /** Address and port that responded: `127.0.0.2:8080`. */
  readonly from: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
  /** Why the mesh refused the request; null if the response is not a refusal by the mesh. */
  readonly reason: string | null;
  /** Milliseconds from the start to the connection (with TLS), the response head, and the end of the body. */
  readonly connectedMs: number;
  readonly headMs: number;
  readonly totalMs: number;
};

/** Milliseconds; longer than the 30 s in which the mesh itself responds with 504. */
const responseTimeoutMs = 35_000;
/** Largest body that is read as a refusal, bytes. */
const maxRefusalBytes = 4_096;

/**
 * Sends a request on its own connection and reads the whole response.
 *
 * @throws Error of the connection or of a truncated response, with Node's code (ECONNREFUSED, ENOTFOUND)
 */
export function sendTraceRequest(request: TraceRequest, nowMs: () => number): Promise<TraceResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<TraceResponse>();
  const startedMs = nowMs();
  const elapsedMs = () => nowMs() - startedMs;
  let connectedMs = 0;
  const isTls = request.url.protocol === "https:";
  const outgoing = (isTls ? requestHttps : requestHttp)(request.url, {
    method: request.method,
    headers: request.headers,
    agent: false,
    timeout: responseTimeoutMs,
  });
  outgoing.on("socket", (socket: Socket) => {
    socket.once(isTls ? "secureConnect" : "connect", () => {
      connectedMs = elapsedMs();
    });
  });
  outgoing.on("timeout", () =>
    outgoing.destroy(new Error(`no response within ${responseTimeoutMs / 1000} s`)),
  );
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    const headMs = elapsedMs();
    void readTraceResponse(incoming).then(
      (response) => resolve({ ...response, connectedMs, headMs, totalMs: elapsedMs() }),
      reject,
    );
  });
  outgoing.end(request.body ?? undefined);
  return promise;
}

/** Reads a response to its end. Keeps only as much of the body as a refusal can have. */
async function readTraceResponse(
  incoming: IncomingMessage,
): Promise<Omit<TraceResponse, "connectedMs" | "headMs" | "totalMs">> {
  const { remoteAddress = "?", remotePort = 0 } = incoming.socket;
  let bytes = 0;
  const kept: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxRefusalBytes) kept.push(chunk);
  }
  return {
    status: incoming.statusCode ?? 0,
    statusText: incoming.statusMessage ?? "",
    httpVersion: incoming.httpVersion,
    from: `${remoteAddress}:${remotePort}`,
    headers: incoming.headers,
    bytes,
    reason: bytes > maxRefusalBytes ? null : reasonIn(Buffer.concat(kept).toString(), incoming.headers),
  };
}

/** The message of a refusal by src/proxy/http/failure.ts, whose body repeats the request id of the header. */
function reasonIn(body: string, headers: IncomingHttpHeaders): string | null {
  const refusal = parseJson(body) as { message?: unknown; requestId?: unknown } | null;
  if (typeof refusal?.message !== "string" || refusal.requestId !== headers["x-request-id"]) return null;
  return refusal.message.replaceAll(unprintable, "?");
}
