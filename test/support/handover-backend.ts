// A server behind a balancer that is replaced: `handover-backend.ts ADDRESS PORT`. It responds at once, or slowly with
// `?bytes=N`, or after `?ms=N`, and repeats the messages of WebSockets.

import { createServer, type ServerResponse } from "node:http";
import { WebSocketServer } from "ws";

const [address = "", port = ""] = process.argv.slice(2);
const intervalMs = 20;
const bytesAtOnce = 10_000;

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? "/", "http://backend");
  const bytes = Number(searchParams.get("bytes") ?? 0);
  if (bytes > 0) sendSlowly(response, bytes);
  else setTimeout(() => response.end("ok\n"), Number(searchParams.get("ms") ?? 0));
});
server.keepAliveTimeout = 60_000;
const webSockets = new WebSocketServer({ server });
webSockets.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data));
  socket.on("error", () => undefined);
});
server.listen(Number(port), address, () => console.log("listening"));

function sendSlowly(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { "content-length": bytes });
  let left = bytes;
  const timer = setInterval(() => {
    const part = Math.min(bytesAtOnce, left);
    left -= part;
    response.write(Buffer.alloc(part, "a"));
    if (left > 0) return;
    clearInterval(timer);
    response.end();
  }, intervalMs);
  response.once("close", () => clearInterval(timer));
}
