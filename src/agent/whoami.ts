// waggle/whoami: a small web server that reports its task and the request it received. It runs as a task, or
// by hand: `HOST=127.0.0.1 PORT=8000 node src/agent/whoami.ts`.
//
//   /              task and request as text; as JSON under /api or with Accept: application/json
//   /healthz       200                        /status/503      that status
//   /delay/500     responds after 500 ms      /bytes/1048576   that number of bytes
//   /stream        an event each second       POST /echo       the request body
//   upgrade        a WebSocket that echoes, at any path

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { listenBacklog } from "./listen-backlog.ts";

type Facts = Readonly<Record<string, string | number>>;

const maxResponseBytes = 1024 ** 3;
const maxDelayMs = 600_000;
/** How long open requests may take to finish after SIGTERM; streams end at once. */
const shutdownGraceMs = 8_000;

const env = process.env;
const host = env.HOST ?? "127.0.0.1";
const identity: Facts = {
  hostname: hostname(),
  node: env.WAGGLE_NODE ?? "",
  service: env.WAGGLE_SERVICE ?? "",
  task: env.WAGGLE_TASK_ID ?? "",
  slot: Number(env.WAGGLE_SLOT ?? 0),
  pid: process.pid,
};
const streams = new Set<ServerResponse>();
const sockets = new Set<Duplex>();

const servers = portsOf(env).map(listen);
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

/** The ports of PORT and PORT_<target>; any free port without them. */
function portsOf(variables: NodeJS.ProcessEnv): readonly number[] {
  const names = Object.keys(variables).filter((name) => /^PORT(_\d+)?$/.test(name));
  const ports = new Set(names.map((name) => Number(variables[name])));
  return ports.size === 0 ? [0] : [...ports];
}

function listen(port: number): Server {
  const server = createServer(handleRequest);
  // Longer than proxies keep idle connections, so that this server never closes one as a request arrives.
  server.keepAliveTimeout = 75_000;
  server.on("upgrade", echoSocket);
  server.on("error", (error) => {
    console.error(`cannot listen on ${host}:${port}: ${error.message}`);
    process.exit(1);
  });
  server.listen({ host, port, backlog: listenBacklog }, () => {
    const address = server.address();
    console.log(`whoami listens on ${host}:${typeof address === "object" ? address?.port : port}`);
  });
  return server;
}

function stop(): void {
  for (const stream of streams) stream.end();
  for (const socket of sockets) socket.destroy();
  let openServers = servers.length;
  for (const server of servers) {
    server.close(() => {
      openServers -= 1;
      if (openServers === 0) process.exit(0);
    });
  }
  // Closes connections as they become idle; otherwise they would stay open for a next request.
  setInterval(() => {
    for (const server of servers) server.closeIdleConnections();
  }, 20).unref();
  setTimeout(() => process.exit(0), shutdownGraceMs).unref();
}

function handleRequest(request: IncomingMessage, response: ServerResponse): void {
  // A marker (label waggle.marker) that no proxy between the mesh and this program sends.
  if (identity.task !== "") response.setHeader("x-task", String(identity.task));
  const [, page = "", value = ""] = (request.url ?? "/").split("?")[0]?.split("/") ?? [];
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (page === "healthz") sendText(response, 200, "ok\n");
  else if (page === "status" && number >= 200 && number <= 599)
    sendText(response, number, `status ${number}\n`);
  else if (page === "delay" && number <= maxDelayMs) setTimeout(() => sendFacts(request, response), number);
  else if (page === "bytes" && number <= maxResponseBytes) sendBytes(response, number);
  else if (page === "stream") sendEvents(request, response);
  else if (page === "echo" && request.method === "POST") echo(request, response);
  else sendFacts(request, response);
}

function sendFacts(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const { socket, method = "", url = "", httpVersion, rawHeaders } = request;
  const received = {
    address: `${socket.localAddress}:${socket.localPort}`,
    remote: `${socket.remoteAddress}:${socket.remotePort}`,
    method,
    url,
    protocol: `HTTP/${httpVersion}`,
  };
  const headers = headerPairs(rawHeaders);
  const wantsJson = /^\/api\b/.test(url) || /\bapplication\/json\b/.test(request.headers.accept ?? "");
  if (wantsJson) {
    sendJson(response, { ...identity, ...received, headers: joinHeaders(headers), rawHeaders: headers });
    return;
  }
  const lines = Object.entries({ ...identity, ...received }).map(([name, value]) => `${name}: ${value}`);
  sendText(
    response,
    200,
    `${[...lines, "", ...headers.map(([name, value]) => `${name}: ${value}`)].join("\n")}\n`,
  );
}

/** The header lines in the order and case received, without joining repeated ones. */
function headerPairs(rawHeaders: readonly string[]): readonly (readonly [string, string])[] {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ""] as const] : [],
  );
}

/** Header values by lower-case name. Repeated headers are joined (RFC 9110 §5.2). */
function joinHeaders(headers: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  const byName = new Map<string, string[]>();
  for (const [name, value] of headers) {
    byName.set(name.toLowerCase(), [...(byName.get(name.toLowerCase()) ?? []), value]);
  }
  return Object.fromEntries([...byName].map(([name, values]) => [name, values.join(", ")]));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  const hasBody = status !== 204 && status !== 205 && status !== 304;
  response.writeHead(status, hasBody ? { "content-type": "text/plain; charset=utf-8" } : {});
  response.end(hasBody ? text : undefined);
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(`${JSON.stringify(value, null, 2)}\n`);
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": request.headers["content-type"] ?? "application/octet-stream" });
  request.pipe(response);
}

/** Sends `length` bytes as fast as the client reads them. */
function sendBytes(response: ServerResponse, length: number): void {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": length });
  const block = Buffer.alloc(65_536, "waggle");
  let remaining = length;
  const sendBlocks = () => {
    while (remaining > 0) {
      const part = remaining < block.length ? block.subarray(0, remaining) : block;
      remaining -= part.length;
      if (!response.write(part)) {
        response.once("drain", sendBlocks);
        return;
      }
    }
    response.end();
  };
  sendBlocks();
}

function sendEvents(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  let tick = 0;
  const send = () => {
    tick += 1;
    response.write(`id: ${tick}\ndata: ${JSON.stringify({ ...identity, tick })}\n\n`);
  };
  send();
  const timer = setInterval(send, 1_000);
  streams.add(response);
  request.once("close", () => {
    clearInterval(timer);
    streams.delete(response);
  });
}

/**
 * Loads the WebSocket server on the first upgrade: most instances never need it, and all should start fast.
 */
async function echoSocket(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  socket.on("error", () => socket.destroy());
  const { WebSocketServer } = await import("ws");
  new WebSocketServer({ noServer: true }).handleUpgrade(request, socket, head, (webSocket) => {
    webSocket.on("error", () => webSocket.terminate());
    webSocket.on("message", (data, isBinary) => webSocket.send(data, { binary: isBinary }));
  });
}
