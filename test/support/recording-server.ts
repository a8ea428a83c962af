// An HTTP server without opinions: it records requests byte for byte and responds with given bytes.

import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type RawMessage, readMessage } from "./raw-exchange.ts";

/** Bytes of a response, and what follows them. */
export type ServerAnswer = {
  /** `{accept}` stands for the Sec-WebSocket-Accept of the request (RFC 6455 §4.2.2). */
  readonly bytes: string;
  readonly then?: "close" | "reset";
  /** Sent as soon as the head of the request has arrived. */
  readonly interim?: string;
  /** The response goes on: the request stays the current one of its connection. */
  readonly isStream?: boolean;
  /** Responds after the head of the request, without its body. */
  readonly isEarly?: boolean;
};

/** A request as it arrived so far. `message` is null until it is complete. */
export type RecordedRequest = {
  /** The start line and all lines of the head, as sent. */
  readonly head: string;
  readonly message: RawMessage | null;
  /** How the connection ended, seen from here. */
  readonly ended: "open" | "end" | "reset";
};

type OpenRequest = { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] };

/** Requests for this path are responded to with `probe`, and not recorded. */
export const probePath = "/probe-of-the-connection";

export const okAnswer: ServerAnswer = { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" };

export class RecordingServer {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #answer = okAnswer;
  #streaming: Socket | null = null;
  #requests: OpenRequest[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(): Promise<RecordingServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new RecordingServer(server);
  }

  /** Forgets all requests, and responds to those that follow with `answer`. */
  expect(answer: ServerAnswer): void {
    this.#requests = [];
    this.#answer = answer;
  }

  /** Sends more bytes of a response that goes on. */
  push(bytes: string): void {
    this.#streaming?.write(bytes);
  }

  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    let unread = "";
    let current: OpenRequest | null = null;
    let hasAnswered = false;
    this.#sockets.add(socket);
    const ended = (how: "end" | "reset") => {
      if (current?.ended === "open") current.ended = how;
    };
    socket.on("error", () => ended("reset"));
    socket.on("end", () => {
      ended("end");
      socket.end();
    });
    socket.on("close", () => {
      ended("end");
      this.#sockets.delete(socket);
    });
    socket.on("data", (bytes) => {
      unread += bytes.toString("latin1");
      for (;;) {
        const headEnd = unread.indexOf("\r\n\r\n");
        if (headEnd < 0) return;
        if (unread.split(" ")[1]?.startsWith(probePath)) {
          unread = unread.slice(headEnd + 4);
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe");
          continue;
        }
        if (current === null) {
          current = { head: unread.slice(0, headEnd + 2), message: null, ended: "open" };
          this.#requests.push(current);
          hasAnswered = false;
          socket.write(this.#answer.interim ?? "");
        }
        const answer = this.#answer;
        const message = readMessage(unread, "empty");
        if (!hasAnswered && (message !== null || answer.isEarly === true)) {
          hasAnswered = true;
          respond(socket, answer, current.head);
        }
        if (answer.isStream === true) this.#streaming = socket;
        if (message === null || answer.isStream === true) return;
        current.message = message;
        unread = unread.slice(message.length);
        current = null;
      }
    });
  }
}

function respond(socket: Socket, { bytes, then }: ServerAnswer, requestHead: string): void {
  socket.write(Buffer.from(bytes.replace("{accept}", acceptOf(requestHead)), "latin1"));
  if (then === "close") socket.end();
  if (then === "reset") socket.resetAndDestroy();
}

function acceptOf(head: string): string {
  const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? "";
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}
