// Backends for tests of the proxy: real servers on loopback, well-behaved or misbehaving.

import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { gzipSync } from "node:zlib";
import { WebSocketServer } from "ws";

export type Backend = { readonly origin: string; readonly stop: () => Promise<void> };

/** A request as the backend received it. */
export type ReceivedRequest = {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
};

/** Responds to every request with the request as received, as JSON. */
export function echo(name: string): Promise<Backend> {
  return http(async (request, response) => {
    const received = await receivedBy(name, request);
    response.setHeader("content-type", "application/json").end(JSON.stringify(received));
  });
}

async function receivedBy(name: string, request: IncomingMessage): Promise<ReceivedRequest> {
  const { method = "", url = "", rawHeaders } = request;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = request.headers as Record<string, string>;
  return { name, method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() };
}

export const gzipped = gzipSync("hello hello hello hello hello");

/** Responds by path in the ways that a proxy may get wrong. */
export function various(): Promise<Backend> {
  return http((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    const respond = responders[pathname];
    if (respond === undefined) response.writeHead(404).end("no such path");
    else respond(request, response);
  });
}

const responders: Record<string, RequestListener> = {
  "/gzip": (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" }).end(gzipped);
  },
  "/cookies": (_request, response) => {
    const cookies = Array.from({ length: 100 }, (_, index) => `c${index}=v${index}; Path=/`);
    response.writeHead(200, { "set-cookie": cookies }).end("ok");
  },
  "/204": (_request, response) => void response.writeHead(204).end(),
  "/304": (_request, response) => void response.writeHead(304, { etag: '"a"' }).end(),
  "/redirect": (_request, response) => void response.writeHead(302, { location: "/elsewhere" }).end(),
  "/521": (_request, response) => void response.writeHead(521).end("the task's own 521"),
  "/range": (request, response) => {
    const [from = 0, to = 9] =
      /bytes=(\d+)-(\d+)/
        .exec(request.headers.range ?? "")
        ?.slice(1)
        .map(Number) ?? [];
    const part = "0123456789".slice(from, to + 1);
    const headers = { "content-range": `bytes ${from}-${to}/10`, "content-length": part.length };
    response.writeHead(206, headers).end(request.method === "HEAD" ? undefined : part);
  },
  "/hop": (_request, response) => {
    response.setHeader("connection", "x-private, keep-alive");
    response.setHeader("x-private", "1");
    response.setHeader("proxy-authenticate", "Basic");
    response.setHeader("x-waggle-node", "forged");
    response.setHeader("x-public", "1");
    response.end("ok");
  },
  "/sse": (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    // The second event is sent when the client opens the gate, after it has read the first.
    gates.set(request.headers["x-gate"] as string, () => response.end("data: 2\n\n"));
  },
  "/gate": (request, response) => {
    const name = request.headers["x-gate"] as string;
    gates.get(name)?.();
    gates.delete(name);
    response.end("open");
  },
  "/upload": (request, response) => {
    // Responds to each chunk at once, so that a proxy that buffers the request never finishes.
    response.writeHead(200, { "x-length": request.headers["content-length"] ?? "none" });
    request.on("data", (chunk: Buffer) => response.write(`got ${chunk.length};`));
    request.on("end", () => response.end("end"));
  },
};

const gates = new Map<string, () => void>();

/** A WebSocket server that echoes messages and supports the subprotocol `echo`. */
export async function webSocketEcho(): Promise<Backend> {
  const server = createServer((_request, response) => response.writeHead(426).end("websocket only"));
  const sockets = new WebSocketServer({ server, handleProtocols: () => "echo" });
  sockets.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  return listening(server);
}

/** Accepts requests and never responds. */
export function silent(): Promise<Backend> {
  return http(() => undefined);
}

/** Resets each connection at its first bytes, and counts the resets. */
export async function resetting(): Promise<Backend & { readonly hits: () => number }> {
  let hits = 0;
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      hits += 1;
      socket.resetAndDestroy();
    });
  });
  return { ...(await listening(server)), hits: () => hits };
}

/** An address where nothing listens. */
export async function refusing(): Promise<Backend> {
  const backend = await listening(createTcpServer());
  await backend.stop();
  return { origin: backend.origin, stop: async () => undefined };
}

export function http(listener: RequestListener): Promise<Backend> {
  return listening(createServer(listener));
}

/** Listens on a free port of loopback. `stop` also ends open connections. */
export async function listening(server: Server | TcpServer): Promise<Backend> {
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of connections) socket.destroy();
    });
  return { origin: `http://127.0.0.1:${address.port}`, stop };
}
