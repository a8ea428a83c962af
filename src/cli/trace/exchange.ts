// One request and its answer, with the time each step took.

import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";

/** What to send. */
export type Sent = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Null: no body. */
  readonly body: string | null;
};

/** What came back. */
export type Answer = {
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
const silenceMs = 35_000;
/** A refusal is not longer. Bytes. */
const maxRefusal = 4_096;

/**
 * Sends a request on a connection of its own and reads the answer to its end.
 *
 * @throws Error of the connection, with Node's code (ECONNREFUSED, ENOTFOUND), or of the answer that broke off
 */
export function exchange(sent: Sent, nowMs: () => number): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const startedMs = nowMs();
  const since = () => nowMs() - startedMs;
  let connectedMs = 0;
  const send = sent.url.protocol === "https:" ? requestHttps : requestHttp;
  const outgoing = send(sent.url, {
    method: sent.method,
    headers: sent.headers,
    agent: false,
    timeout: silenceMs,
  });
  outgoing.on("socket", (socket: Socket) => {
    const connected = sent.url.protocol === "https:" ? "secureConnect" : "connect";
    socket.once(connected, () => {
      connectedMs = since();
    });
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${silenceMs / 1000} s`)));
  outgoing.on("error", reject);
  outgoing.on("response", (incoming) => {
    const headMs = since();
    void readAnswer(incoming).then(
      (answer) => resolve({ ...answer, connectedMs, headMs, totalMs: since() }),
      reject,
    );
  });
  outgoing.end(sent.body ?? undefined);
  return promise;
}

/** Reads an answer to its end. Of its body no more is kept than a refusal has. */
async function readAnswer(
  incoming: IncomingMessage,
): Promise<Omit<Answer, "connectedMs" | "headMs" | "totalMs">> {
  const { remoteAddress = "?", remotePort = 0 } = incoming.socket;
  let bytes = 0;
  const kept: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxRefusal) kept.push(chunk);
  }
  return {
    status: incoming.statusCode ?? 0,
    statusText: incoming.statusMessage ?? "",
    httpVersion: incoming.httpVersion,
    from: `${remoteAddress}:${remotePort}`,
    headers: incoming.headers,
    bytes,
    reason: bytes > maxRefusal ? null : reasonIn(Buffer.concat(kept).toString(), incoming.headers),
  };
}

/** The message of a refusal as src/proxy/failure.ts writes it, which names the request as its header does. */
function reasonIn(body: string, headers: IncomingHttpHeaders): string | null {
  try {
    const { message, requestId } = JSON.parse(body) as { message?: unknown; requestId?: unknown };
    const isOurs = typeof message === "string" && requestId === headers["x-request-id"];
    return isOurs ? message.replaceAll(/\p{C}/gu, "?") : null;
  } catch {
    return null;
  }
}
