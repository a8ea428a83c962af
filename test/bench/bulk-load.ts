// One long body through a raw connection, up or down. Runs in a process of its own, so that its work is not counted as
// anybody else's.

import { connect, type Socket } from "node:net";

export type BulkOrder = {
  readonly port: number;
  readonly authority: string;
  readonly direction: "down" | "up";
  readonly bytes: number;
};

/** Bytes of the body that arrived at its other end, and how long that took from the first byte sent. */
export type BulkResult = { readonly bytes: number; readonly elapsedMs: number };

const block = Buffer.alloc(256 * 1024, "waggle");

/** Answers each order with its result until the parent goes away. */
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
  let read = 0;
  let head: Buffer | null = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    read += chunk.length;
    if (head === null) return;
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    read = head.length - end - 4;
    head = null;
  });
  socket.on("close", () => done({ bytes: read, elapsedMs: performance.now() - startedMs }));
}

function upload(socket: Socket, { authority, bytes }: BulkOrder, done: (result: BulkResult) => void): void {
  const startedMs = performance.now();
  const head = ["POST / HTTP/1.1", `Host: ${authority}`, "Connection: close", `Content-Length: ${bytes}`];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const part = block.subarray(0, Math.min(block.length, left));
      left -= part.length;
      if (!socket.write(part)) return void socket.once("drain", more);
    }
  };
  more();
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.on("close", () => done({ bytes: counted(answer), elapsedMs: performance.now() - startedMs }));
}

/** The number in the answer's body, whatever its coding. */
function counted(answer: string): number {
  const lines = answer.slice(answer.indexOf("\r\n\r\n") + 4).split("\r\n");
  const chunked = /^transfer-encoding: chunked/im.test(answer);
  return Number(chunked ? lines[1] : lines[0]);
}

if (process.send) serve();
