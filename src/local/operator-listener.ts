// The listeners of the control API besides its port: a Unix socket, and a port with TLS. Clients that can send no
// header prove themselves there by a file's permissions or by a certificate, as to dockerd.

import { chmodSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { hostPort } from "../domain/model/server.ts";
import { readFailure } from "../os/files.ts";
import { forwardRequest } from "./forward-request.ts";
import { http1Exchange } from "./http1-exchange.ts";
import { controlIdentity, type ListenerProfile, listenerProfile } from "./listener-profile.ts";
import { type Refusal, readRequest } from "./read-request.ts";
import type { RuntimeAgent } from "./runtime-agent.ts";

/** Where to listen, and how clients prove that they are operators. */
export type OperatorListen =
  | { readonly kind: "socket"; readonly path: string }
  | {
      readonly kind: "tls";
      readonly address: string;
      readonly port: number;
      readonly certFile: string;
      readonly keyFile: string;
      /** The authority whose certificates make a client an operator; absent: clients send a token. */
      readonly clientCaFile?: string;
    };

/** What requests are forwarded with. */
export type OperatorUpstream = {
  readonly agent: RuntimeAgent;
  readonly entryKey: string;
  readonly operatorToken: string;
  /** Where agents reach the control API: responses name it, such as the line of docker swarm join-token. */
  readonly control: { readonly host: string; readonly port: number };
  /** Logs an error of an open listener, such as a connection that cannot be accepted. */
  readonly log: (line: string) => void;
};

/** Owner only: a process that can open the socket is an operator. */
const socketMode = 0o600;

/** An open listener. */
export type OperatorListener = {
  /** Stops listening and ends open responses. */
  readonly close: () => Promise<void>;
};

/**
 * Opens a listener.
 *
 * @throws Error if a file cannot be read, or the port or path is taken; the message says which flag to change
 */
export async function openOperatorListener(
  listen: OperatorListen,
  { agent, entryKey, operatorToken, control, log }: OperatorUpstream,
): Promise<OperatorListener> {
  const profile = listenerProfile(controlIdentity, entryKey);
  const isProof = listen.kind === "socket" || listen.clientCaFile !== undefined;
  const receive = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const client = {
      refuse: (refusal: Refusal) => sendRefusal(outgoing, profile, refusal),
      endAfter: endConnectionAfter,
    };
    const { remoteAddress = "127.0.0.1" } = incoming.socket;
    const head = {
      method: incoming.method ?? "",
      target: incoming.url ?? "",
      version: incoming.httpVersion,
      rawHeaders: [
        ...withHost(incoming, (host) =>
          listen.kind === "socket" ? hostPort(control.host, control.port) : `${host}:${control.port}`,
        ),
        ...(isProof ? credentials(incoming, operatorToken) : []),
      ],
    };
    const request = readRequest(head, profile.entryHeader(remoteAddress), "waggle");
    if ("status" in request) client.refuse(request);
    else forwardRequest(http1Exchange(incoming, outgoing, client), request, agent);
  };
  const server =
    listen.kind === "socket" ? createServer(receive) : createTlsServer(tlsOptions(listen), receive);
  // A response may be a stream of events without an end.
  server.requestTimeout = 0;
  if (listen.kind === "socket") await listenAtPath(server, listen.path);
  else await listenAtPort(server, listen.address, listen.port);
  const place = listen.kind === "socket" ? listen.path : `${listen.address}:${listen.port}`;
  server.on("error", (error) => log(`the control API: ${place}: ${error.message}`));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * The request's header lines with the host of the control API's own port: agents can use neither a socket, for which
 * the Docker CLI invents a host, nor this port.
 *
 * @param print writes host and port; its argument is the host that the client used
 */
function withHost({ rawHeaders }: IncomingMessage, print: (host: string) => string): readonly string[] {
  return rawHeaders.map((text, index) =>
    rawHeaders[index - 1]?.toLowerCase() === "host" && index % 2 === 1
      ? print(text.replace(/:\d{1,5}$/, ""))
      : text,
  );
}

/**
 * The header line of an operator. A client's own credentials count before those of its connection. A browser sends
 * its certificate with the requests of any page, so that those of another site get none.
 */
function credentials({ headers }: IncomingMessage, token: string): readonly string[] {
  const site = headers["sec-fetch-site"] ?? "none";
  if (headers.authorization !== undefined || (site !== "none" && site !== "same-origin")) return [];
  return ["Authorization", `Bearer ${token}`];
}

function sendRefusal(outgoing: ServerResponse, profile: ListenerProfile, { status, reason }: Refusal): void {
  if (outgoing.headersSent) return void outgoing.destroy();
  const { type, body } = profile.refusal(String(status), reason);
  outgoing.writeHead(status, { "content-type": type, connection: "close" }).end(body);
}

/** Ends the connection after this response, which says so (`Connection: close`). */
function endConnectionAfter(response: ServerResponse): void {
  response.shouldKeepAlive = false;
}

function tlsOptions({ certFile, keyFile, clientCaFile }: OperatorListen & { kind: "tls" }) {
  return {
    cert: readPem("--tls-cert", certFile),
    key: readPem("--tls-key", keyFile),
    minVersion: "TLSv1.2" as const,
    ...(clientCaFile !== undefined && {
      ca: readPem("--tls-client-ca", clientCaFile),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  };
}

function readPem(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`cannot read ${flag} ${file}: ${readFailure(error as Error)}`);
  }
}

async function listenAtPort(server: Server, address: string, port: number): Promise<void> {
  await listening(server, { host: address, port }).catch((error: Error) => {
    throw new Error(`cannot open ${address}:${port} for the control API over TLS: ${error.message}`);
  });
}

/** Listens at a path that only its owner may open. Replaces a socket that no process listens on any more. */
async function listenAtPath(server: Server, path: string): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() && !(await isAnswered(path))) rmSync(path);
  const umask = process.umask(0o777 & ~socketMode);
  const opened = listening(server, { path });
  // Node binds the path before `listen` returns.
  process.umask(umask);
  await opened.catch((error: Error) => {
    throw new Error(`cannot open the socket ${path}: ${error.message}; choose another --socket`);
  });
  chmodSync(path, socketMode);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function listening(
  server: Server,
  options: { path: string } | { host: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
