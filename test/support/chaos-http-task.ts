// A task, run as an image, that uses HTTP in all the ways that a proxy can break, and records what it saw.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { WebSocketServer } from "ws";

/** What the last request of each kind led to; `/observed` returns it. */
const observed = { aborted: 0, written: 0, requests: 0, closes: [] as (readonly [number, string])[] };

const block = Buffer.alloc(65_536, "waggle");
const tenDigits = "0123456789";

const answers: Record<string, RequestListener> = {
  observed: (_request, response) => void response.end(JSON.stringify(observed)),
  /** Rejects an upload by its head, and drops the body: a close with unread bytes would reset the connection. */
  early: (request, response) => {
    request.resume();
    response.writeHead(413, { "content-type": "text/plain" }).end("too large, says the task");
  },
  /** Writes until the client disconnects. */
  endless: (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    const timer = setInterval(() => response.write("tick\n"), 20);
    response.once("close", () => {
      clearInterval(timer);
      observed.aborted += 1;
    });
  },
  events: (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let event = 0;
    const timer = setInterval(() => response.write(`data: ${++event}\n\n`), 100);
    response.once("close", () => clearInterval(timer));
  },
  range: (request, response) => {
    const [, from = "0", to = "9"] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = tenDigits.slice(Number(from), Number(to) + 1);
    const head = { "content-range": `bytes ${from}-${to}/10`, "content-length": part.length, etag: '"ten"' };
    response.writeHead(206, head).end(part);
  },
  unsatisfiable: (_request, response) =>
    void response.writeHead(416, { "content-range": "bytes */10" }).end(),
  sized: (_request, response) => void response.writeHead(200, { "content-length": "12345" }).end(),
  empty: (_request, response) => void response.writeHead(200, { "content-length": "0" }).end(),
  nothing: (_request, response) => void response.writeHead(204).end(),
  unchanged: (_request, response) => void response.writeHead(304, { etag: '"a"' }).end(),
  headers: (request, response) => void response.end(JSON.stringify(request.rawHeaders)),
  cookies: (_request, response) => {
    const cookies = Array.from({ length: 100 }, (_, index) => `c${index}=v${index}; Path=/; HttpOnly`);
    response.writeHead(200, { "set-cookie": cookies, "x-list": ["a", "b"] }).end("ok");
  },
  url: (request, response) => void response.end(String(request.url?.length)),
  count: async (request, response) => {
    let bytes = 0;
    try {
      for await (const chunk of request) bytes += (chunk as Buffer).length;
    } catch {
      // The upload was aborted: no client waits for the response.
      return;
    }
    response.end(JSON.stringify({ bytes, expect: request.headers.expect ?? null }));
  },
  /** Returns the trailers of the request, and sends one. */
  trailers: async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.writeHead(200, { trailer: "x-sum" });
    response.addTrailers({ "x-sum": "1" });
    response.end(
      JSON.stringify({ body, trailers: request.trailers, trailer: request.headers.trailer ?? null }),
    );
  },
  bytes: (request, response) => send(response, Number(request.url?.split("/")[2])),
};

const server = createServer({ maxHeaderSize: 256 * 1024 }, (request, response) => {
  observed.requests += 1;
  const name = request.url?.slice(1).split(/[/?]/)[0] ?? "";
  const answer = answers[name];
  if (answer === undefined) response.writeHead(404).end(`no ${name}`);
  else answer(request, response);
});
server.keepAliveTimeout = 75_000;

/** Sends bytes as fast as the client reads them, and counts those written. */
function send(response: ServerResponse, length: number): void {
  response.writeHead(200, { "content-length": length });
  observed.written = 0;
  const more = (): void => {
    while (observed.written < length) {
      const part = block.subarray(0, Math.min(block.length, length - observed.written));
      observed.written += part.length;
      if (!response.write(part)) return void response.once("drain", more);
    }
    response.end();
  };
  more();
}

const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket, _request: IncomingMessage) => {
  socket.on("message", (data, isBinary) => {
    const [word, code, reason] = data.toString().split(" ");
    if (word === "close") socket.close(Number(code), reason);
    else if (word === "break") socket.terminate();
    else socket.send(data, { binary: isBinary });
  });
  socket.on("close", (code, reason) => observed.closes.push([code, reason.toString()]));
});

server.listen(Number(process.env.PORT), process.env.HOST);
process.once("SIGTERM", () => process.exit(0));
