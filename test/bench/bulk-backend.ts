// The task of the stream and WebSocket benchmarks, in its own process: `GET /BYTES` returns a body of that
// length, POST returns the length of its body, and WebSocket messages are echoed. Prints its port.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { WebSocketServer } from "ws";

const block = Buffer.alloc(256 * 1024, "waggle");

const server = createServer((request, response) => {
  if (request.method === "POST") count(request, response);
  else send(response, Number(request.url?.split("/")[1]));
});
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" && address ? address.port : 0}\n`);
});
process.on("disconnect", () => process.exit(0));

function send(response: ServerResponse, length: number): void {
  response.writeHead(200, { "content-length": length });
  let remaining = length;
  const writeMore = (): void => {
    while (remaining > 0) {
      const part = block.subarray(0, Math.min(block.length, remaining));
      remaining -= part.length;
      if (!response.write(part)) return void response.once("drain", writeMore);
    }
    response.end();
  };
  writeMore();
}

function count(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on("end", () => response.end(String(bytes)));
}
