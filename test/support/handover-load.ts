// Clients of a machine whose process or certificate is replaced: `handover-load.ts HOST HTTP TCP TLS SECONDS RATE CA
// NAME`, with three ports and the name of the certificate. Sends requests at a rate over kept and new connections, with
// and without TLS, over HTTP/1.1 and HTTP/2, and holds a WebSocket, a download and a TCP connection open meanwhile. Each
// request is sent once, unless the balancer says of a stream that it was not processed (RFC 9113 §8.7). Prints the
// counts as JSON.

import { readFileSync } from "node:fs";
import { Agent, get, type RequestOptions } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { get as getTls, Agent as TlsAgent } from "node:https";
import { connect } from "node:net";
import WebSocket from "ws";

export type HandoverCounts = {
  readonly sent: number;
  /** Streams that were sent again, because they were not processed. */
  readonly sentAgain: number;
  /** By the kind of request and the reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly webSocket: { readonly sent: number; readonly received: number; readonly end: string };
  /** `complete`, or what happened instead. */
  readonly download: string;
  readonly tcp: { readonly answers: number; readonly end: string };
};

const timeoutMs = 15_000;
const bytesPerSecond = 500_000;

const [host = "", http = "", byTcp = "", tls = "", seconds = "", rate = "", ca = "", name = ""] =
  process.argv.slice(2);
const loadPorts = { http: Number(http), tcp: Number(byTcp), tls: Number(tls) };
const durationMs = Number(seconds) * 1_000;
const failures: Record<string, number> = {};
let sent = 0;
let sentAgain = 0;
let open = 0;

/** @returns ends one request, once */
function begin(kind: string): (failure: string | null) => void {
  sent += 1;
  open += 1;
  let isOver = false;
  return (failure) => {
    if (isOver) return;
    isOver = true;
    open -= 1;
    if (failure !== null) failures[`${kind}: ${failure}`] = (failures[`${kind}: ${failure}`] ?? 0) + 1;
  };
}

function sendHttp(kind: string, ask: typeof get, options: RequestOptions): void {
  const end = begin(kind);
  const request = ask({ host, ...options }, (response) => {
    let text = "";
    response.on("data", (bytes) => {
      text += bytes;
    });
    response.on("end", () => end(response.statusCode === 200 ? null : text.slice(0, 120).trim()));
    response.on("error", (error) => end(error.message));
  });
  request.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  request.setTimeout(timeoutMs, () => request.destroy(new Error("timeout")));
}

function sendTcp(): void {
  const end = begin("tcp");
  let text = "";
  const socket = connect(loadPorts.tcp, host, () =>
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
  );
  socket.on("data", (bytes) => {
    text += bytes;
  });
  socket.on("end", () => end(text.startsWith("HTTP/1.1 200") && text.endsWith("ok\n") ? null : "cut off"));
  socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error("timeout")));
}

const kept = { http: new Agent({ keepAlive: true }), tls: new TlsAgent({ keepAlive: true }) };
const secured = { port: loadPorts.tls, servername: name, ca: ca && readFileSync(ca) };
const hostHeader = { host: "back.test" };
const last = { connection: "close" };
const kinds = [
  () => sendHttp("kept", get, { port: loadPorts.http, agent: kept.http }),
  () => sendHttp("new", get, { port: loadPorts.http, agent: false, headers: last }),
  () => sendHttp("kept with TLS", getTls, { ...secured, agent: kept.tls, headers: hostHeader }),
  () => sendHttp("new with TLS", getTls, { ...secured, agent: false, headers: { ...hostHeader, ...last } }),
  sendTcp,
  () => sendHttp2("kept with HTTP/2", keptSession, false),
  () => sendHttp2("kept with HTTP/2", keptSession, false),
  () => sendHttp2("new with HTTP/2", openSession, true),
];

let session: ClientHttp2Session | null = null;

/** The kept connection, or another one if that one ends. */
function keptSession(): ClientHttp2Session {
  if (session === null || session.closed || session.destroyed) session = openSession();
  return session;
}

function openSession(): ClientHttp2Session {
  const opened = connectHttp2(`https://${host}:${loadPorts.tls}`, secured);
  opened.on("error", () => undefined);
  return opened;
}

function sendHttp2(kind: string, on: () => ClientHttp2Session, isLast: boolean, end = begin(kind)): void {
  const connection = on();
  const stream = connection.request({ ":path": "/", ":authority": "back.test" });
  let [status, text] = [0, ""];
  stream.on("response", (headers) => {
    status = Number(headers[":status"]);
  });
  stream.on("data", (bytes) => {
    text += bytes;
  });
  stream.on("error", () => undefined);
  stream.on("close", () => {
    if (isLast) connection.close();
    if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      sentAgain += 1;
      setImmediate(() => sendHttp2(kind, on, isLast, end));
      return;
    }
    end(
      status === 200 && text === "ok\n"
        ? null
        : `${status}, reset with ${stream.rstCode}: ${text.slice(0, 120)}`,
    );
  });
  // As of the other kinds, from the connection on.
  const watch = () => void stream.setTimeout(timeoutMs, () => stream.destroy(new Error("timeout")));
  if (connection.connecting) connection.once("connect", watch);
  else watch();
}

const webSocket = { sent: 0, received: 0, end: "open" };
const socket = new WebSocket(`ws://${host}:${loadPorts.http}/`);
socket.on("message", () => {
  webSocket.received += 1;
});
socket.on("close", (code) => {
  webSocket.end = `closed with ${code}`;
});
socket.on("error", (error) => {
  webSocket.end = error.message;
});

let download = "begun";
const downloadBytes = (bytesPerSecond * durationMs * 0.8) / 1_000;
get({ host, port: loadPorts.http, path: `/?bytes=${downloadBytes}`, agent: false }, (response) => {
  let received = 0;
  response.on("data", (bytes) => {
    received += bytes.length;
  });
  response.on("end", () => {
    download = received === downloadBytes ? "complete" : `${received} of ${downloadBytes} bytes`;
  });
  response.on("error", (error) => {
    download = error.message;
  });
});

const tcp = { answers: 0, end: "open" };
const connection = connect(loadPorts.tcp, host);
connection.on("data", () => {
  tcp.answers += 1;
});
connection.on("close", () => {
  tcp.end = "closed";
});
connection.on("error", (error) => {
  tcp.end = error.message;
});

const beats = setInterval(() => {
  if (socket.readyState === WebSocket.OPEN) {
    socket.send("m");
    webSocket.sent += 1;
  }
  if (connection.writable) connection.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}, 100);
const startedMs = performance.now();
const timer = setInterval(() => {
  const due = ((performance.now() - startedMs) * Number(rate)) / 1_000;
  while (sent < due) kinds[sent % kinds.length]?.();
}, 2);
setTimeout(() => {
  clearInterval(timer);
  clearInterval(beats);
  finish();
}, durationMs);

function finish(): void {
  const isOver = open === 0 && download !== "begun" && webSocket.sent === webSocket.received;
  if (!isOver && performance.now() - startedMs < durationMs + timeoutMs) {
    setTimeout(finish, 50);
    return;
  }
  const counts: HandoverCounts = { sent, sentAgain, failures, webSocket, download, tcp };
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
}
