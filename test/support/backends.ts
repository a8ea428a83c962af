// Tasks to proxy to: real servers on loopback, each with the manners or the misbehaviour its tests need.

import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { gzipSync } from "node:zlib";
import { WebSocketServer } from "ws";

export type Backend = { readonly origin: string; readonly stop: () => Promise<void> };

/** What a request looked like when it arrived. */
export type ReceivedRequest = {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
};

/** Answers every request with what it saw of it, as JSON. */
export function echo(name: string): Promise<Backend> {
  return http(async (request, response) => {
    const seen = await receivedBy(name, request);
    response.setHeader("content-type", "application/json").end(JSON.stringify(seen));
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

/** Answers in all the ways a proxy can spoil: see the paths. */
export function various(): Promise<Backend> {
  return http((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    const answer = answers[pathname];
    if (answer === undefined) response.writeHead(404).end("no such path");
    else answer(request, response);
  });
}

const answers: Record<string, RequestListener> = {
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
    // The second event is sent only when the client says it has read the first.
    gates.set(request.headers["x-gate"] as string, () => response.end("data: 2\n\n"));
  },
  "/gate": (request, response) => {
    const name = request.headers["x-gate"] as string;
    gates.get(name)?.();
    gates.delete(name);
    response.end("open");
  },
  "/upload": (request, response) => {
    // Answers each chunk as it comes, so that a proxy that waits for the end never finishes.
    response.writeHead(200, { "x-length": request.headers["content-length"] ?? "none" });
    request.on("data", (chunk: Buffer) => response.write(`got ${chunk.length};`));
    request.on("end", () => response.end("end"));
  },
};

const gates = new Map<string, () => void>();

/** A WebSocket server that sends back what it gets, and speaks the subprotocol `echo`. */
export async function webSocketEcho(): Promise<Backend> {
  const server = createServer((_request, response) => response.writeHead(426).end("websocket only"));
  const sockets = new WebSocketServer({ server, handleProtocols: () => "echo" });
  sockets.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  return listening(server);
}

/** Takes requests and never answers. */
export function silent(): Promise<Backend> {
  return http(() => undefined);
}

/** Takes a connection and resets it with the first bytes. Counts them. */
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

/** Nothing listens there. */
export async function refusing(): Promise<Backend> {
  const backend = await listening(createTcpServer());
  await backend.stop();
  return { origin: backend.origin, stop: async () => undefined };
}

export function http(listener: RequestListener): Promise<Backend> {
  return listening(createServer(listener));
}

/** Listens on a free port of loopback. Stopping ends open connections as well. */
async function listening(server: Server | TcpServer): Promise<Backend> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    });
  return { origin: `http://127.0.0.1:${address.port}`, stop };
}
