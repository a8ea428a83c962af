// The task of the benchmark, in its own process. It does as little work as possible, because it shares the
// CPU with the measured proxies. Its responses have the headers of Node's HTTP server. Prints its port.

import { createServer } from "node:net";

const body = "hello from a task\n";
const response = [
  "HTTP/1.1 200 OK",
  "Content-Type: text/plain",
  `Content-Length: ${body.length}`,
  `Date: ${new Date().toUTCString()}`,
  "Connection: keep-alive",
  "Keep-Alive: timeout=600",
  "",
  body,
].join("\r\n");
const bytes = Buffer.from(response);
const headEnd = Buffer.from("\r\n\r\n");

/** Requests have no bodies and are not pipelined, so bytes that end with an empty line complete a request. */
const server = createServer((socket) => {
  let end: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => {
    end = chunk.length >= 4 ? chunk.subarray(-4) : Buffer.concat([end, chunk]).subarray(-4);
    if (end.equals(headEnd)) socket.write(bytes);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" && address ? address.port : 0}\n`);
});
process.on("disconnect", () => process.exit(0));
