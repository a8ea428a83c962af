// HTTP/1.1 as bytes: a task that shows each request as it was sent and responds with given bytes, and a
// client that sends bytes. A character of these strings is a byte.

import { type AddressInfo, createServer, type Socket } from "node:net";
import { exchange, readMessage, readResponses } from "./raw-exchange.ts";

export type RawTask = {
  readonly origin: string;
  /** The requests so far, each with its head and body. */
  readonly requests: readonly string[];
  readonly stop: () => Promise<void>;
};

/**
 * Listens on a free port of loopback. It reads requests with Content-Length or chunked bodies.
 *
 * @param respond the bytes of the response; the connection ends after them if they announce no length
 */
export async function rawTask(respond: (request: string) => string): Promise<RawTask> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let unread = "";
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes) => {
      unread += bytes.toString("latin1");
      for (let next = readMessage(unread, "empty"); next !== null; next = readMessage(unread, "empty")) {
        const request = unread.slice(0, next.length);
        unread = unread.slice(next.length);
        requests.push(request);
        const response = respond(request);
        socket.write(response, "latin1");
        if (!/\r\n(?:content-length|transfer-encoding):/i.test(response)) socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { origin: `http://127.0.0.1:${port}`, requests, stop };
}

/** The first line of a request. */
export function requestLine(request: string): string {
  return request.slice(0, request.indexOf("\r\n"));
}

/** The values of each line of a header, in order. */
export function lines(message: string, name: string): string[] {
  const head = message.slice(0, message.indexOf("\r\n\r\n") + 2);
  return [...head.matchAll(new RegExp(`\\r\\n${name}: *([^\\r]*)(?=\\r\\n)`, "gi"))].map(
    (match) => match[1] ?? "",
  );
}

/** Sends one request as bytes, and reads its response. The status is 0 without one. */
export async function rawSend(
  port: number,
  bytes: string,
): Promise<{ status: number; text: string; body: string }> {
  const method = bytes.slice(0, bytes.indexOf(" "));
  const last = (text: string, isClosed: boolean) => readResponses(text, [method], isClosed).responses.at(-1);
  const isDone = (text: string) => (last(text, false)?.status ?? 0) >= 200;
  const { text, isClosed } = await exchange(port, [bytes], { isDone });
  const { status = 0, body = "" } = last(text, isClosed) ?? {};
  return { status, text, body };
}
