// A listener: an HTTP port in front of the Workers runtime, whose own sockets are fixed when it starts. It
// parses each request with Node's parser, adds the entry header, and sends it on as Node writes it. With TLS it
// speaks HTTP/2 as well.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as HttpsServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import { type Abort, ClientConnection } from "./client-connection.ts";
import { DescriptorBudget } from "./descriptor-budget.ts";
import { forwardRequest } from "./forward-request.ts";
import { forwardUpgrade, refusalOf } from "./forward-upgrade.ts";
import { http1Exchange } from "./http1-exchange.ts";
import { Http2Sessions } from "./http2/http2-sessions.ts";
import { defaultTimeouts, type ListenerTimeouts, maxHeaderBytes } from "./listener-limits.ts";
import type { ListenerProfile } from "./listener-profile.ts";
import { handleOf, listenAt, type SocketHandle } from "./listening-socket.ts";
import { type ParseError, parseRefusal } from "./parse-refusal.ts";
import {
  connectRefusal,
  isWebSocketHandshake,
  type Refusal,
  type RuntimeRequest,
  readRequest,
} from "./read-request.ts";
import { type Redirect, redirectToHttps } from "./redirect-to-https.ts";
import { unknownExpectation } from "./refusal-message.ts";
import type { RuntimeAgent } from "./runtime-agent.ts";
import type { ServerTls } from "./tls/server-tls.ts";
import { trackHandshakes } from "./tls/track-handshakes.ts";

export type ListenerOptions = {
  readonly timeouts?: ListenerTimeouts;
  /** What all listeners of a process share; absent: a budget of its own, for the assumed limit. */
  readonly budget?: DescriptorBudget;
  /** The current `longestBodyTimeoutMs`; absent: `clientMs` of `timeouts`. */
  readonly bodyTimeoutMs?: () => number;
  /** Receives an error of the open port, once in a row; the port stays open. */
  readonly onError?: (error: Error) => void;
  /** A socket that is open already; absent: a new one. */
  readonly socket?: SocketHandle | null;
  /** Absent: the port speaks plain HTTP. */
  readonly tls?: ServerTls;
  /** The port with TLS to which requests are redirected; absent: they are forwarded. */
  readonly redirectTo?: number;
};

/** What clients may choose in a TLS handshake (RFC 7301), the preferred one first. */
const ALPNProtocols = ["h2", "http/1.1"];

/**
 * An open port.
 *
 * @see docs/decisions/0055-http-parser-of-listeners.md
 * @see docs/decisions/0133-http2-by-nghttp2.md
 */
export class Listener {
  readonly #server: Server;
  /** Null without TLS. */
  readonly #http2: Http2Sessions | null;
  /** Those of HTTP/1.1. */
  readonly #connections = new Map<Socket, ClientConnection>();
  readonly #profile: ListenerProfile;
  readonly #agent: RuntimeAgent;
  readonly #budget: DescriptorBudget;
  readonly #timeouts: ListenerTimeouts;
  readonly #bodyTimeoutMs: () => number;
  readonly #redirectTo: number | null;
  /** Ends the connections whose TLS handshake is under way. */
  #endHandshakes: () => void = () => undefined;
  #isDraining = false;

  private constructor(profile: ListenerProfile, agent: RuntimeAgent, options: ListenerOptions) {
    this.#profile = profile;
    this.#agent = agent;
    this.#budget = options.budget ?? new DescriptorBudget(null);
    this.#timeouts = options.timeouts ?? defaultTimeouts;
    this.#bodyTimeoutMs = options.bodyTimeoutMs ?? (() => this.#timeouts.clientMs);
    this.#redirectTo = options.redirectTo ?? null;
    this.#http2 = options.tls === undefined ? null : this.#createHttp2();
    this.#server = this.#createServer(options.tls ?? null);
  }

  /**
   * Opens `address:port`; rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL, EACCES) if that fails. An error
   * without a handler would end the process.
   *
   * @param agent its connections to the runtime, which listeners share
   */
  static async open(
    address: string,
    port: number,
    profile: ListenerProfile,
    agent: RuntimeAgent,
    options: ListenerOptions = {},
  ): Promise<Listener> {
    const listener = new Listener(profile, agent, options);
    const server = listener.#server;
    try {
      await listenAt(server, { address, port, handle: options.socket ?? null }, options.onError);
    } catch (error) {
      // The caller tries again and again. What follows the server learns that it has ended.
      listener.#http2?.stop();
      server.close();
      throw error;
    }
    listener.#budget.openListener();
    server.once("close", () => listener.#budget.closeListener());
    return listener;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the listener is closed");
    return address.port;
  }

  /** The open socket, for another process. */
  get socket(): SocketHandle {
    return handleOf(this.#server);
  }

  /** Stops listening. Open responses may take up to `graceMs`. Resolves when all connections are closed. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#endHandshakes();
    this.#http2?.end();
    for (const connection of this.#connections.values()) connection.end();
    await this.#endWithin(graceMs, closed);
  }

  /**
   * Stops to accept, and ends each connection after its next response. Another process accepts from the socket.
   * Resolves when all connections are closed, at the latest after `graceMs`.
   */
  async drain(graceMs: number): Promise<void> {
    // That of an HTTP server would close idle connections, on which a request may be on its way.
    const closed = new Promise<void>((resolve) =>
      NetServer.prototype.close.call(this.#server, () => resolve()),
    );
    this.#isDraining = true;
    this.#http2?.drain();
    for (const connection of this.#connections.values()) connection.drain();
    await this.#endWithin(graceMs, closed);
    // Ends its timers.
    this.#server.close();
  }

  async #endWithin(graceMs: number, closed: Promise<void>): Promise<void> {
    const deadline = setTimeout(() => {
      this.#endHandshakes();
      this.#http2?.destroy();
      for (const socket of this.#connections.keys()) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(deadline);
    this.#http2?.stop();
  }

  #createServer(tls: ServerTls | null): Server {
    const { headMs, keepAliveMs, clientMs } = this.#timeouts;
    const bodyTimeoutMs = this.#bodyTimeoutMs;
    const options = {
      noDelay: true,
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
      // Checked in readRequest, with a reason.
      requireHostHeader: false,
      headersTimeout: headMs,
      // An upload may take as long as its bytes arrive: see clientMs.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, headMs),
      shouldUpgradeCallback: (incoming: IncomingMessage) => isWebSocketHandshake(headOf(incoming)),
    };
    const server = tls === null ? createServer(options) : this.#createTlsServer(options, tls);
    // A client may end its side and still read the response.
    Object.assign(server, { httpAllowHalfOpen: true });
    // No limit besides that of the head: Node would drop further headers without a word.
    server.maxHeadersCount = 0;
    server.timeout = clientMs;
    if (tls === null) server.on("connection", (socket) => this.#accept(socket));
    server.on("request", (incoming, outgoing) => this.#receive(incoming, outgoing, false));
    server.on("checkContinue", (incoming, outgoing) => this.#receive(incoming, outgoing, true));
    server.on("checkExpectation", (incoming, outgoing) => this.#refuseExpectation(incoming, outgoing));
    server.on("upgrade", (incoming, socket, rest) => this.#upgrade(incoming, socket as Socket, rest));
    server.on("connect", (_, socket) => this.#connectionOf(socket as Socket).runTunnel(() => connectRefusal));
    server.on("clientError", (error, socket) => this.#clientError(error, socket as Socket));
    server.on("timeout", (socket) => {
      if (!this.#connectionOf(socket).expire(clientMs, bodyTimeoutMs())) socket.setTimeout(clientMs);
    });
    return server;
  }

  #createTlsServer(options: object, tls: ServerTls): HttpsServer {
    const handshakeTimeout = this.#timeouts.headMs;
    const tlsOptions = { ...tls.options, handshakeTimeout, ALPNProtocols, allowHalfOpen: true };
    const server = createTlsServer({ ...options, ...tlsOptions });
    tls.follow(server);
    // Node's own listener takes every connection for one of HTTP/1.1.
    const serveHttp1 = server.listeners("secureConnection");
    server.removeAllListeners("secureConnection");
    this.#endHandshakes = trackHandshakes(server, this.#budget, (socket) => {
      if (socket.alpnProtocol === "h2") {
        this.#http2?.serve(socket);
        return;
      }
      this.#accept(socket);
      for (const serve of serveHttp1) serve.call(server, socket);
    });
    return server;
  }

  #createHttp2(): Http2Sessions {
    return new Http2Sessions({
      profile: this.#profile,
      agent: this.#agent,
      budget: this.#budget,
      timeouts: this.#timeouts,
      bodyTimeoutMs: this.#bodyTimeoutMs,
    });
  }

  #accept(socket: Socket): void {
    const connection = new ClientConnection(socket, this.#profile, this.#budget);
    this.#connections.set(socket, connection);
    // Its handshake was under way when the drain began.
    if (this.#isDraining) connection.drain();
    socket.once("close", () => this.#connections.delete(socket));
    // Node listens for errors until an upgrade only.
    socket.on("error", () => socket.destroy());
  }

  /** Node reports nothing of a socket before its connection, nor after its close. */
  #connectionOf(socket: Socket): ClientConnection {
    const connection = this.#connections.get(socket);
    if (connection === undefined) throw new Error("this socket has no connection");
    return connection;
  }

  #receive(incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean): void {
    const connection = this.#connectionOf(incoming.socket);
    connection.run({ incoming, outgoing }, () => {
      const request = readIncoming(incoming, connection.entry);
      if ("status" in request) return request;
      const redirect = redirectToHttps(request, this.#redirectTo);
      if (redirect !== null) return sendRedirect(redirect, outgoing);
      // Node drops the bytes of the same packet behind an upgrade that it ignores.
      if (incoming.headers.upgrade !== undefined) connection.endAfter(outgoing);
      if (expectsContinue) outgoing.writeContinue();
      return forwardRequest(http1Exchange(incoming, outgoing, connection), request, this.#agent);
    });
  }

  #refuseExpectation(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const refusal = unknownExpectation(incoming.headers.expect);
    this.#connectionOf(incoming.socket).run({ incoming, outgoing }, () => refusal);
  }

  #upgrade(incoming: IncomingMessage, socket: Socket, rest: Buffer): void {
    const connection = this.#connectionOf(socket);
    connection.runTunnel(() => {
      const request = readIncoming(incoming, connection.entry);
      if ("status" in request) return request;
      const redirect = redirectToHttps(request, this.#redirectTo);
      if (redirect !== null) return sendRedirect(redirect, refusalOf(incoming, socket));
      return forwardUpgrade(incoming, socket, rest, request, this.#agent, (refusal) =>
        connection.refuse(refusal),
      );
    });
  }

  #clientError(error: ParseError, socket: Socket): void {
    const refusal = parseRefusal(error);
    // A failed TLS handshake has no connection.
    if (refusal === null || !socket.writable || !this.#connections.has(socket)) socket.destroy();
    else this.#connectionOf(socket).refuseUnreadable(refusal);
  }
}

function sendRedirect({ status, location }: Redirect, outgoing: ServerResponse): Abort {
  outgoing.writeHead(status, { location, "content-length": "0" }).end();
  return () => undefined;
}

function readIncoming(incoming: IncomingMessage, entry: string): RuntimeRequest | Refusal {
  const { localAddress = "", localPort } = incoming.socket;
  const authority = `${localAddress.includes(":") ? `[${localAddress}]` : localAddress}:${localPort}`;
  return readRequest(headOf(incoming), entry, authority);
}

function headOf({ method = "", url = "", httpVersion, rawHeaders }: IncomingMessage) {
  return { method, target: url, version: httpVersion, rawHeaders };
}
