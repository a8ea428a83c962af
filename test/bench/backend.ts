// The task of the benchmark, in a process of its own: the least that answers HTTP, because what it and the load take of
// the machine is not there for what is compared. Answers as Node's own server would. Prints its port.

import { createServer } from "node:net";

const body = "hello from a task\n";
const answer = [
  "HTTP/1.1 200 OK",
  "Content-Type: text/plain",
  `Content-Length: ${body.length}`,
  `Date: ${new Date().toUTCString()}`,
  "Connection: keep-alive",
  "Keep-Alive: timeout=600",
  "",
  body,
].join("\r\n");
const bytes = Buffer.from(answer);
const headEnd = Buffer.from("\r\n\r\n");

/** Requests have no bodies and are not pipelined: where bytes end with an empty line, one has come. */
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
