// The port of a gateway: parses HTTP with Node's parser, and hands each request over as an exchange.

import { createServer, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { resetStream } from "../../net/join-streams.ts";
import type { GatewayExchange } from "./exchange.ts";
import { HttpExchange, UpgradeExchange } from "./http-exchange.ts";
import { gatewayHeadMs, maxGatewayHeadBytes, routerIdleMs, unwantedBodyMs } from "./limits.ts";
import { gatewayPurpose } from "./request-head.ts";
import type { RouterConnections } from "./router-connections.ts";
import { keepAliveProbeMs } from "./task-connection.ts";

/** A certificate with its key, both PEM. */
export type GatewayCertificate = { readonly cert: string | Buffer; readonly key: string | Buffer };

/** @returns true if the request had a proof */
export type HandleExchange = (exchange: GatewayExchange) => boolean;

/**
 * Creates the server of a gateway; it does not listen yet.
 *
 * @param handle called with each request
 * @see docs/decisions/0070-http-client-of-the-gateway.md
 */
export function createGatewayServer(
  certificate: GatewayCertificate | undefined,
  connections: RouterConnections,
  handle: HandleExchange,
): Server {
  const options: ServerOptions = {
    noDelay: true,
    // A router whose machine is gone without a word.
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeMs,
    maxHeaderSize: maxGatewayHeadBytes,
    insecureHTTPParser: false,
    // The task gets the host of the attempt.
    requireHostHeader: false,
    headersTimeout: gatewayHeadMs,
    // How long a body takes is the router's business.
    requestTimeout: 0,
    keepAliveTimeout: routerIdleMs,
    connectionsCheckingInterval: 1_000,
    shouldUpgradeCallback: isUpgrade,
  };
  const server =
    certificate === undefined
      ? createServer(options)
      : createTlsServer({ ...options, ...certificate, handshakeTimeout: gatewayHeadMs });
  // No limit besides that of the head: Node would drop further headers without a word.
  server.maxHeadersCount = 0;
  const tcpSocketOf = trackConnections(server, connections);
  const run = (socket: Duplex, exchange: GatewayExchange, closed: (onClose: () => void) => void): void => {
    const connection = tcpSocketOf(socket);
    connections.begin(connection);
    const isProven = handle(exchange);
    closed(() => connections.end(connection, isProven));
  };
  const receive = (
    incoming: IncomingMessage,
    outgoing: ConstructorParameters<typeof HttpExchange>[1],
    expectsContinue: boolean,
  ): void => {
    // Node drops the bytes of the same packet behind an upgrade that it ignores.
    if (incoming.headers.upgrade !== undefined) outgoing.shouldKeepAlive = false;
    run(incoming.socket, new HttpExchange(incoming, outgoing, expectsContinue), (onClose) => {
      outgoing.once("close", onClose);
    });
  };
  server.on("request", (incoming, outgoing) => receive(incoming, outgoing, false));
  server.on("checkContinue", (incoming, outgoing) => receive(incoming, outgoing, true));
  server.on("checkExpectation", (incoming, outgoing) => receive(incoming, outgoing, false));
  server.on("upgrade", (incoming, socket, rest) => {
    run(socket, new UpgradeExchange(incoming, socket, rest), () => undefined);
  });
  server.on("connect", (_, socket) => refuse(socket as Socket, "405 Method Not Allowed", "it is a CONNECT"));
  server.on("clientError", (error: UnreadableError, socket) => {
    // A refusal would become a part of the response that is in progress.
    if (connections.isActive(tcpSocketOf(socket))) resetStream(socket);
    else refuseUnreadable(error, socket as Socket);
  });
  return server;
}

/**
 * Counts the connections of a server from their start, before any handshake.
 *
 * @returns the TCP connection under the stream of a request, which with TLS is another one
 */
function trackConnections(server: Server, connections: RouterConnections): (stream: Duplex) => Duplex {
  const byPeer = new Map<string, Socket>();
  const underTls = new WeakMap<Duplex, Socket>();
  // Node listens for errors until an upgrade only.
  const endOnError = (socket: Socket): unknown => socket.on("error", () => socket.destroy());
  server.on("connection", (socket) => {
    const peer = peerOf(socket);
    endOnError(socket);
    byPeer.set(peer, socket);
    socket.once("close", () => byPeer.delete(peer));
    connections.add(socket);
  });
  server.on("secureConnection", (stream: Socket) => {
    endOnError(stream);
    const socket = byPeer.get(peerOf(stream));
    if (socket !== undefined) underTls.set(stream, socket);
  });
  return (stream) => underTls.get(stream) ?? stream;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** True if the request asks for another protocol and has no body, so that what follows its head is in that. */
function isUpgrade({ headers }: IncomingMessage): boolean {
  const isAsked = (headers.connection ?? "")
    .toLowerCase()
    .split(",")
    .some((option) => option.trim() === "upgrade");
  return (
    isAsked && headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0
  );
}

/** The error of Node's `clientError` event. */
type UnreadableError = Error & {
  readonly code?: string;
  /** What the parser expected. */
  readonly reason?: string;
  readonly rawPacket?: Buffer;
};

function refuseUnreadable(error: UnreadableError, socket: Socket): void {
  const { code, reason, rawPacket } = error;
  if (code === "ECONNRESET" || code === "EPIPE" || !socket.writable) {
    socket.destroy();
  } else if (code === "HPE_HEADER_OVERFLOW") {
    const limit = `${maxGatewayHeadBytes / 1024} KiB`;
    refuse(socket, "431 Request Header Fields Too Large", `its head is larger than ${limit}`);
  } else if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    refuse(socket, "408 Request Timeout", `its head took longer than ${gatewayHeadMs / 1_000} s`);
  } else if (rawPacket?.[0] === 0x16 && rawPacket[1] === 0x03) {
    refuse(socket, "400 Bad Request", "it is a TLS handshake, and this gateway has no certificate");
  } else {
    refuse(socket, "400 Bad Request", `it is not HTTP/1.1 (${reason ?? error.message})`);
  }
}

/** Sends a response to bytes that are no request, and ends the connection. */
function refuse(socket: Socket, status: string, reason: string): void {
  const body = `${gatewayPurpose}. This request is not forwarded: ${reason}.\n`;
  const headers = `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
  socket.resume();
  setTimeout(() => socket.destroy(), unwantedBodyMs).unref();
}
