// The HTTP/2 connections of a listener: their settings, and what is done with all of them.

import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import { maxHeaderBytes } from "../listener-limits.ts";
import { ClientSession, type SessionContext } from "./client-session.ts";

/** Requests that a client may have open on a connection (RFC 9113 §6.5.2). HAProxy and nginx: 100, 128. */
const maxConcurrentStreams = 100;

/** Bytes of a body that may wait for its task. An upload gets at most this in a round trip. */
const streamWindowBytes = 256 * 1024;
const connectionWindowBytes = 1024 * 1024;

/**
 * Limit of a head as it is announced, in the accounting of RFC 9113 §6.5.2. It lets more pass than `maxHeaderBytes`, so
 * that a client gets 431; a stream above this is reset.
 */
const maxHeaderListBytes = 2 * maxHeaderBytes;

/** Headers of a request. An entry of HPACK's table takes one byte and may stand for 4 KiB. */
const maxHeaderListPairs = 1_024;

/** Memory of a connection for its frames and heads, MB. */
const maxSessionMemoryMb = 10;

/** The longest interval of looking at all connections. */
const maxSweepMs = 1_000;

/** @see docs/decisions/0133-http2-by-nghttp2.md */
export class Http2Sessions {
  readonly #context: SessionContext;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ClientSession>();
  readonly #sweep: NodeJS.Timeout;
  #isDraining = false;

  constructor(context: SessionContext) {
    this.#context = context;
    // It opens no port: connections are given to it.
    this.#server = createServer({
      settings: {
        maxConcurrentStreams,
        maxHeaderListSize: maxHeaderListBytes,
        initialWindowSize: streamWindowBytes,
      },
      maxHeaderListPairs,
      maxSessionMemory: maxSessionMemoryMb,
    });
    this.#server.on("sessionError", () => undefined);
    this.#sweep = setInterval(() => this.#sweepAll(), Math.min(maxSweepMs, context.timeouts.headMs));
    this.#sweep.unref();
  }

  /** Serves a connection after its handshake. */
  serve(socket: TLSSocket): void {
    const begin = (session: ServerHttp2Session): void => {
      session.setLocalWindowSize(connectionWindowBytes);
      const client = new ClientSession(session, socket, this.#context, performance.now());
      this.#sessions.add(client);
      socket.once("close", () => this.#sessions.delete(client));
      // Its handshake was under way when the drain began.
      if (this.#isDraining) client.drain();
    };
    this.#server.once("session", begin);
    this.#server.emit("connection", socket);
    this.#server.off("session", begin);
  }

  /** Ends each connection after its open streams, and takes no further stream. */
  end(): void {
    for (const client of this.#sessions) client.end();
  }

  /** Ends each connection behind its open streams or the next one. */
  drain(): void {
    this.#isDraining = true;
    for (const client of this.#sessions) client.drain();
  }

  destroy(): void {
    for (const client of this.#sessions) client.destroy();
  }

  /** Ends its timer, when all connections have closed. */
  stop(): void {
    clearInterval(this.#sweep);
  }

  #sweepAll(): void {
    const nowMs = performance.now();
    for (const client of this.#sessions) client.sweep(nowMs);
  }
}
