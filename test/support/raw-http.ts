// HTTP/1.1 as bytes: a task that shows each request as it was sent and responds with given bytes, and a
// client that sends bytes. A character of these strings is a byte.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

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
      for (let end = messageEnd(unread); end !== null; end = messageEnd(unread)) {
        const request = unread.slice(0, end);
        unread = unread.slice(end);
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

/** Sends bytes, and reads one response. HEAD and statuses without a body are recognized. */
export function rawSend(
  port: number,
  bytes: string,
): Promise<{ status: number; text: string; body: string }> {
  return new Promise((resolve, reject) => {
    let read = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    const finish = () => {
      socket.destroy();
      const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(read)?.[1] ?? 0);
      resolve({ status, text: read, body: read.slice(read.indexOf("\r\n\r\n") + 4) });
    };
    socket.on("data", (chunk) => {
      read += chunk.toString("latin1");
      const hasNoBody = bytes.startsWith("HEAD ") || /^HTTP\/1\.1 (?:204|304)/.test(read);
      if (messageEnd(read, hasNoBody) !== null) finish();
    });
    socket.on("end", finish);
    socket.on("error", reject);
  });
}

/** Where the first message of a text ends; null if it is not complete. */
function messageEnd(text: string, hasNoBody = false): number | null {
  const headEnd = text.indexOf("\r\n\r\n") + 4;
  if (headEnd < 4) return null;
  const head = text.slice(0, headEnd);
  if (hasNoBody) return headEnd;
  if (/\r\ntransfer-encoding:/i.test(head)) {
    const last = text.indexOf("0\r\n\r\n", headEnd);
    return last < 0 ? null : last + 5;
  }
  const end = headEnd + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  return text.length < end ? null : end;
}
