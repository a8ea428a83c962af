// The task of the chaos run: answers after a little work, keeps a list of the POSTs it took, and misbehaves as its
// environment says. Run by the mesh as an image, and by the fleet behind HAProxy, with the same variables.
//
//   FAULT       reset: breaks every second connection at its first bytes
//               503: answers every second request with a 503 of its own, marked `x-chaos-app`
//               slow: takes 500 ms more        crash: ends a second after it was started
//   FAULT_SLOT  the only slot that misbehaves; all of them when absent
//   TAKEN_DIR   folder for the list of POSTs taken, one id a line

import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";

/** What a request costs the task, milliseconds: so that some are always under way when something breaks. */
const workMs = 10;
const slowMs = 500;
const lifeMs = 1_000;
/** A connection of a resetting task is closed after this many answers, so that balancers must open new ones. */
const answersPerConnection = 5;
/** Open requests are finished for this long after SIGTERM. */
const finishMs = 8_000;

const env = process.env;
const isFaulty = env.FAULT_SLOT === undefined || env.FAULT_SLOT === env.WAGGLE_SLOT;
const fault = isFaulty ? (env.FAULT ?? "") : "";
let requests = 0;
let connections = 0;

const server = createServer(answer);
// Longer than any proxy keeps an idle connection, so that it is never this end that closes under a request.
server.keepAliveTimeout = 75_000;
if (fault === "reset") server.maxRequestsPerSocket = answersPerConnection;
const listener = fault === "reset" ? createTcpServer({ pauseOnConnect: true }, admit) : server;
listener.listen(Number(env.PORT ?? 0), env.HOST ?? "127.0.0.1");
listener.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
if (fault === "crash") setTimeout(() => process.exit(1), lifeMs);

/** Breaks every second connection as soon as a request comes in on it; a check that sends nothing does not count. */
function admit(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.once("readable", () => {
    const first: Buffer | null = socket.read();
    if (first === null) return socket.destroy();
    connections += 1;
    if (connections % 2 === 1) return socket.resetAndDestroy();
    socket.unshift(first);
    server.emit("connection", socket);
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === "/healthz") return void response.end("ok\n");
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The client went away before its request was whole.
    return;
  }
  if (request.method === "POST" && env.TAKEN_DIR !== undefined) {
    appendFileSync(join(env.TAKEN_DIR, String(process.pid)), `${Buffer.concat(chunks)}\n`);
  }
  requests += 1;
  const refuses = fault === "503" && requests % 2 === 1;
  await new Promise((resolve) => setTimeout(resolve, fault === "slow" ? workMs + slowMs : workMs));
  response.setHeader("content-type", "text/plain; charset=utf-8");
  if (refuses) response.writeHead(503, { "x-chaos-app": "503" });
  response.end(`slot ${env.WAGGLE_SLOT ?? "-"}\n`);
}

/** Answers what is under way, as a well-behaved server does on SIGTERM. */
function stop(): void {
  listener.close(() => process.exit(0));
  setInterval(() => server.closeIdleConnections(), 20).unref();
  setTimeout(() => process.exit(0), finishMs).unref();
}
