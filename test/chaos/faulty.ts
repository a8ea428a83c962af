// The task program of the chaos run: responds after a short delay, records the POSTs it received, and fails as
// its environment says. Waggle runs it as an image, haproxy.ts as plain processes.
//
//   FAULT       reset: resets every second connection at its first bytes
//               503: responds to every second request with a 503 that has the header `x-chaos-app`
//               slow: takes 500 ms longer      crash: exits a second after its start
//   FAULT_SLOT  the only slot with the fault; all slots if absent
//   POSTS_DIR   folder for the ids of received POSTs, one a line: also of those whose connection it reset
//
// GET /bulk?mib=64 responds with as many MiB of bulk.ts, POST /bulk with the number and digest of those it received.

import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { bulkBytes, readBulk } from "./bulk.ts";
import { postIdHeader } from "./contender.ts";

/** Duration of each request, so that some are always open when a failure happens. */
const workMs = 10;
const slowMs = 500;
const lifeMs = 1_000;
/** With the fault `reset` a connection closes after this many responses, so that balancers open new ones. */
const answersPerConnection = 5;
/** Time after SIGTERM to finish open requests. */
const shutdownMs = 8_000;

const env = process.env;
const isFaulty = env.FAULT_SLOT === undefined || env.FAULT_SLOT === env.WAGGLE_SLOT;
const fault = isFaulty ? (env.FAULT ?? "") : "";
let requests = 0;
let connections = 0;

const server = createServer(answer);
// Longer than any proxy keeps an idle connection, so that this end never closes one as a request arrives.
server.keepAliveTimeout = 75_000;
if (fault === "reset") server.maxRequestsPerSocket = answersPerConnection;
const listener = fault === "reset" ? createTcpServer({ pauseOnConnect: true }, acceptOrReset) : server;
listener.listen(Number(env.PORT ?? 0), env.HOST ?? "127.0.0.1");
listener.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
if (fault === "crash") setTimeout(() => process.exit(1), lifeMs);

/** Resets every second connection at its first bytes. A health check that sends nothing does not count. */
function acceptOrReset(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.once("readable", () => {
    const firstBytes: Buffer | null = socket.read();
    if (firstBytes === null) return socket.destroy();
    connections += 1;
    if (connections % 2 === 1) {
      const lines = String(firstBytes).split("\r\n");
      const line = lines.find((text) => text.toLowerCase().startsWith(`${postIdHeader}:`));
      recordPost(line?.slice(line.indexOf(":") + 1).trim());
      return socket.resetAndDestroy();
    }
    socket.unshift(firstBytes);
    server.emit("connection", socket);
  });
}

function recordPost(id: string | undefined): void {
  if (id === undefined || env.POSTS_DIR === undefined) return;
  appendFileSync(join(env.POSTS_DIR, String(process.pid)), `${id}\n`);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === "/healthz") return void response.end("ok\n");
  if (request.url?.startsWith("/bulk")) return answerBulk(request, response);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The client disconnected before the end of its request.
    return;
  }
  if (request.method === "POST") recordPost(String(Buffer.concat(chunks)));
  requests += 1;
  const refuses = fault === "503" && requests % 2 === 1;
  await new Promise((resolve) => setTimeout(resolve, fault === "slow" ? workMs + slowMs : workMs));
  response.setHeader("content-type", "text/plain; charset=utf-8");
  if (refuses) response.writeHead(503, { "x-chaos-app": "503" });
  response.end(`slot ${env.WAGGLE_SLOT ?? "-"}\n`);
}

async function answerBulk(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.method === "POST") response.end(JSON.stringify(await readBulk(request)));
    else Readable.from(bulkBytes(Number(request.url?.split("mib=")[1]))).pipe(response);
  } catch {
    // The client disconnected.
    response.destroy();
  }
}

/** Finishes open requests and exits, as a well-behaved server does on SIGTERM. */
function stop(): void {
  listener.close(() => process.exit(0));
  setInterval(() => server.closeIdleConnections(), 20).unref();
  setTimeout(() => process.exit(0), shutdownMs).unref();
}
