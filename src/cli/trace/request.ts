// One request and its answer, with the time each step took.

import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import { parseJson } from "../json.ts";

/** What to send. */
export type TraceRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Null: no body. */
  readonly body: string | null;
};

/** What came back. */
export type TraceResponse = {
  readonly status: number;
  readonly statusText: string;
  readonly httpVersion: string;
  /** Address and port that answered: `127.0.0.2:8080`. */
  readonly from: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
  /** Why the mesh itself refused, in its words; null where its answer is none of that kind. */
  readonly reason: string | null;
  /** Milliseconds since the start: the connection was there, TLS included; the head had come; all had come. */
  readonly connectedMs: number;
  readonly headMs: number;
  readonly totalMs: number;
};

/** The mesh gives a task 30 s to begin its answer; what takes longer is not the mesh's doing. Milliseconds. */
const responseTimeoutMs = 35_000;
/** A refusal is not longer. Bytes. */
const maxRefusalBytes = 4_096;

/**
 * Sends a request on a connection of its own and reads the answer to its end.
 *
 * @throws Error of the connection, with Node's code (ECONNREFUSED, ENOTFOUND), or of the answer that broke off
 */
export function sendTraceRequest(sent: TraceRequest, nowMs: () => number): Promise<TraceResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<TraceResponse>();
  const startedMs = nowMs();
  const since = () => nowMs() - startedMs;
  let connectedMs = 0;
  const send = sent.url.protocol === "https:" ? requestHttps : requestHttp;
  const outgoing = send(sent.url, {
    method: sent.method,
    headers: sent.headers,
    agent: false,
    timeout: responseTimeoutMs,
  });
  outgoing.on("socket", (socket: Socket) => {
    const connected = sent.url.protocol === "https:" ? "secureConnect" : "connect";
    socket.once(connected, () => {
      connectedMs = since();
    });
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${responseTimeoutMs / 1000} s`)));
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    const headMs = since();
    void readTraceResponse(incoming).then(
      (answer) => resolve({ ...answer, connectedMs, headMs, totalMs: since() }),
      reject,
    );
  });
  outgoing.end(sent.body ?? undefined);
  return promise;
}

/** Reads an answer to its end. Of its body no more is kept than a refusal has. */
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

/** The message of a refusal as src/proxy/http/failure.ts writes it, which names the request as its header does. */
function reasonIn(body: string, headers: IncomingHttpHeaders): string | null {
  const refusal = parseJson(body) as { message?: unknown; requestId?: unknown } | null;
  if (typeof refusal?.message !== "string" || refusal.requestId !== headers["x-request-id"]) return null;
  return refusal.message.replaceAll(/\p{C}/gu, "?");
}
