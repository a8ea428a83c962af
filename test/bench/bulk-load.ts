// The load of the stream benchmark: one long body over a raw connection, up or down. Runs in its own process,
// so that its CPU time does not count for a proxy.

import { connect, type Socket } from "node:net";

export type BulkOrder = {
  readonly port: number;
  readonly authority: string;
  readonly direction: "down" | "up";
  readonly bytes: number;
};

/** Bytes of the body that arrived, and the time from the first byte sent to the last one received. */
export type BulkResult = { readonly bytes: number; readonly elapsedMs: number };

const block = Buffer.alloc(256 * 1024, "waggle");

/** Runs each order of the parent process and sends back its result. */
function serve(): void {
  process.on("message", (order: BulkOrder) => {
    const { promise, resolve, reject } = Promise.withResolvers<BulkResult>();
    const socket = connect(order.port, "127.0.0.1");
    socket.on("error", reject);
    if (order.direction === "down") download(socket, order, resolve);
    else upload(socket, order, resolve);
    void promise.then((result) => process.send?.(result));
  });
  process.on("disconnect", () => process.exit(0));
}

function download(socket: Socket, { authority, bytes }: BulkOrder, done: (result: BulkResult) => void): void {
  const startedMs = performance.now();
  socket.write(`GET /${bytes} HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`);
  let bodyBytes = 0;
  let head: Buffer | null = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    bodyBytes += chunk.length;
    if (head === null) return;
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    bodyBytes = head.length - end - 4;
    head = null;
  });
  socket.on("close", () => done({ bytes: bodyBytes, elapsedMs: performance.now() - startedMs }));
}

function upload(socket: Socket, { authority, bytes }: BulkOrder, done: (result: BulkResult) => void): void {
  const startedMs = performance.now();
  const head = ["POST / HTTP/1.1", `Host: ${authority}`, "Connection: close", `Content-Length: ${bytes}`];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  let remaining = bytes;
  const writeMore = (): void => {
    while (remaining > 0) {
      const part = block.subarray(0, Math.min(block.length, remaining));
      remaining -= part.length;
      if (!socket.write(part)) return void socket.once("drain", writeMore);
    }
  };
  writeMore();
  let response = "";
  socket.on("data", (chunk) => {
    response += chunk.toString("latin1");
  });
  socket.on("close", () =>
    done({ bytes: receivedBytes(response), elapsedMs: performance.now() - startedMs }),
  );
}

/** The number in the response's body, with or without chunked coding. */
function receivedBytes(response: string): number {
  const lines = response.slice(response.indexOf("\r\n\r\n") + 4).split("\r\n");
  const isChunked = /^transfer-encoding: chunked/im.test(response);
  return Number(isChunked ? lines[1] : lines[0]);
}

if (process.send) serve();
