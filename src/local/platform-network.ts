// The network that Workers of a mesh under the platform's rules dial through: a port on loopback that connects where
// a URL leads, verifies certificates, and responds as Cloudflare does when a target cannot be reached.

import { randomBytes, timingSafeEqual } from "node:crypto";
import { lookup } from "node:dns/promises";
import {
  Agent,
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import { type AddressInfo, isIP, type Socket } from "node:net";
import { createSecureContext, rootCertificates } from "node:tls";
import { idempotentMethods } from "../proxy/http/methods.ts";
import { originHeader, secretHeader, uncachedHeader } from "./platform/network-headers.ts";
import {
  errorBody,
  isProhibited,
  originError,
  type PlatformError,
  portOf,
  prohibitedIp,
  routeOutbound,
  unknownName,
} from "./platform/outbound.ts";

export type PlatformNetworkOptions = {
  /** PEM certificate of an authority that is trusted besides the public ones. */
  readonly authority: string;
  /** Timers of the platform, milliseconds. */
  readonly connectTimeoutMs?: number;
  readonly readTimeoutMs?: number;
};

/** How Workers reach the network. */
export type NetworkAccess = {
  /** `http://127.0.0.1:41233` */
  readonly url: string;
  readonly secret: string;
};

/** What has passed so far. */
export type NetworkCounts = {
  readonly requests: number;
  /** Responses of the platform in the place of the target's, by their code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Requests that Cloudflare's cache might have answered: GET and HEAD without an option against it. */
  readonly cacheable: number;
};

/** See https://developers.cloudflare.com/fundamentals/reference/connection-limits/. */
const platformConnectMs = 19_000;
const platformReadMs = 120_000;

/** Idle connections to a target, as "Proxy Idle Timeout" on the page above. */
const pooledIdleMs = 900_000;
const maxHeadBytes = 128 * 1024;

/** Headers about the connection to the target. */
const connectionHeaders: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding"]);

/** Headers of a request that are not the target's: between the Worker and this port, and about their connection. */
const ownHeaders: ReadonlySet<string> = new Set([
  "connection",
  "host",
  originHeader,
  secretHeader,
  uncachedHeader,
]);

/** Where a request goes: the host to connect to, and the path and query as the Worker sent them. */
type Outbound = { readonly url: URL; readonly path: string; readonly host: string };

export class PlatformNetwork {
  readonly access: NetworkAccess;
  readonly #options: PlatformNetworkOptions;
  readonly #server: Server;
  readonly #agents: { readonly plain: Agent; readonly secure: SecureAgent };
  /** Connections that were upgraded, which the server does not know any more. */
  readonly #tunnels = new Set<Socket>();
  #requests = 0;
  #cacheable = 0;
  readonly #errors: Record<string, number> = {};

  private constructor(server: Server, secret: string, options: PlatformNetworkOptions) {
    const { port } = server.address() as AddressInfo;
    this.access = { url: `http://127.0.0.1:${port}`, secret };
    this.#options = options;
    this.#server = server;
    const pool = { keepAlive: true, timeout: pooledIdleMs, scheduling: "lifo" } as const;
    // Made once: reading all authorities takes longer than a handshake.
    const secureContext = createSecureContext({ ca: [...rootCertificates, options.authority] });
    this.#agents = { plain: new Agent(pool), secure: new SecureAgent({ ...pool, secureContext }) };
    // Without a response: the Worker would take it for the target's.
    server.on("clientError", (_error, socket) => socket.destroy());
    server.on("request", (incoming, outgoing) => void this.#forward(incoming, outgoing));
    server.on(
      "upgrade",
      (incoming, socket: Socket, head: Buffer) => void this.#forwardUpgrade(incoming, socket, head),
    );
  }

  /** Opens a port with a new secret. */
  static async open(options: PlatformNetworkOptions): Promise<PlatformNetwork> {
    const server = createServer({ maxHeaderSize: maxHeadBytes, requestTimeout: 0, keepAliveTimeout: 0 });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: 0 }, resolve);
    });
    return new PlatformNetwork(server, randomBytes(24).toString("base64url"), options);
  }

  get counts(): NetworkCounts {
    return { requests: this.#requests, errors: { ...this.#errors }, cacheable: this.#cacheable };
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    for (const socket of this.#tunnels) socket.destroy();
    this.#agents.plain.destroy();
    this.#agents.secure.destroy();
    await closed;
  }

  async #forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const fail = (error: PlatformError): void => {
      this.#count(error);
      incoming.unpipe();
      incoming.resume();
      // With a reason, because that of a response that could not be sent may be left.
      outgoing.writeHead(error.status, errorReason, errorHeaders);
      outgoing.end(errorBody(error));
    };
    const route = await this.#route(incoming);
    if ("status" in route) return fail(route);
    const send = (isRepeated: boolean): void => {
      const sent = watchTimers(this.#open(incoming, route), this.#options);
      let hasResponse = false;
      sent.on("response", (response: IncomingMessage) => {
        hasResponse = true;
        if (!relay(response, outgoing)) fail(unreadable);
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        if (hasResponse || outgoing.destroyed) return;
        if (sent.reusedSocket && !isRepeated && isBodiless(incoming)) send(true);
        else fail(originError(failureOf(error, route)));
      });
      // A target may respond before it has read the request, and close. The Worker may send the rest.
      sent.once("close", () => incoming.unpipe(sent).resume());
      // The Worker gave the request up.
      incoming.once("close", () => {
        if (!incoming.complete) sent.destroy();
      });
      outgoing.once("close", () => {
        if (!outgoing.writableFinished) sent.destroy();
      });
      incoming.pipe(sent);
    };
    send(false);
  }

  async #forwardUpgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    this.#tunnels.add(socket);
    socket.once("close", () => this.#tunnels.delete(socket));
    const fail = (error: PlatformError): void => {
      this.#count(error);
      const body = errorBody(error);
      const headers = [...Object.entries(errorHeaders), ["content-length", String(body.length)]];
      socket.end(`${printHead(error.status, errorReason, headers.flat())}${body}`);
    };
    const route = await this.#route(incoming);
    if ("status" in route) return fail(route);
    const sent = watchTimers(this.#open(incoming, route, true), this.#options);
    sent.on("upgrade", (response: IncomingMessage, tunnel: Socket, first: Buffer) => {
      socket.write(printHead(101, response.statusMessage ?? "", response.rawHeaders));
      if (first.length > 0) socket.write(first);
      if (head.length > 0) tunnel.write(head);
      tunnel.on("error", () => socket.resetAndDestroy());
      tunnel.on("close", () => socket.end());
      socket.on("close", () => tunnel.destroy());
      socket.pipe(tunnel);
      tunnel.pipe(socket);
    });
    sent.on("response", (response: IncomingMessage) => {
      const headers = [...withoutHeaders(response.rawHeaders, connectionHeaders), "connection", "close"];
      socket.write(printHead(response.statusCode ?? 502, response.statusMessage ?? "", headers));
      response.pipe(socket);
    });
    sent.on("error", (error) => {
      if (!socket.destroyed) fail(originError(failureOf(error, route)));
    });
    // The Worker gave the request up.
    socket.once("close", () => sent.destroy());
    sent.end();
  }

  /** The address of a request's URL, or the platform's response. */
  async #route({ headers, method }: IncomingMessage): Promise<Outbound | PlatformError> {
    if (!this.#isFromWorker(headers[secretHeader])) return { status: 403, code: 1020 };
    this.#requests += 1;
    if ((method === "GET" || method === "HEAD") && headers[uncachedHeader] === undefined)
      this.#cacheable += 1;
    const text = String(headers[originHeader]);
    const url = new URL(text);
    // The parser drops an empty query.
    const path = /^\w+:\/\/[^/?#]*([^#]*)/.exec(text)?.[1] || "/";
    const route = routeOutbound(url);
    if (route.kind === "refused") return route.error;
    if (route.kind === "address") return { url, path, host: route.host };
    const address = await lookup(route.name).then(
      (found) => found.address,
      () => null,
    );
    if (address === null) return unknownName;
    return isProhibited(address) ? prohibitedIp : { url, path, host: address };
  }

  #isFromWorker(secret: string | string[] | undefined): boolean {
    const [given, expected] = [Buffer.from(String(secret)), Buffer.from(this.access.secret)];
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #open(
    { method, rawHeaders }: IncomingMessage,
    { url, path, host }: Outbound,
    isUpgrade = false,
  ): ClientRequest {
    const isSecure = url.protocol === "https:";
    const headers = ["host", url.host, ...withoutHeaders(rawHeaders, ownHeaders)];
    if (isUpgrade) headers.push("connection", "Upgrade");
    const { plain, secure } = this.#agents;
    return (isSecure ? secureRequest : httpRequest)({
      agent: isSecure ? secure : plain,
      host,
      port: portOf(url),
      // The name that the certificate must have.
      ...(isSecure && isIP(url.hostname) === 0 && { servername: url.hostname }),
      method: method ?? "GET",
      path,
      headers,
      setHost: false,
      maxHeaderSize: maxHeadBytes,
    });
  }

  #count({ code }: PlatformError): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }
}

const errorReason = "Platform error";
/** The platform's response has these, and no header of the target. */
const errorHeaders = { "content-type": "text/plain; charset=UTF-8", server: "cloudflare" };

/** "Web server returns an unknown error". */
const unreadable: PlatformError = { status: 520, code: 520 };

/** Passes a response to the Worker. @returns false if its head or coding cannot be passed on */
function relay(response: IncomingMessage, outgoing: ServerResponse): boolean {
  outgoing.sendDate = false;
  const { statusCode = 520, statusMessage = "", rawHeaders, headers } = response;
  try {
    // Node.js reads chunks only, and would pass the rest of the coding on as the body.
    if (!/^chunked$/i.test(headers["transfer-encoding"] ?? "chunked")) throw new Error("unknown coding");
    outgoing.writeHead(statusCode, statusMessage, responseHeaders(rawHeaders));
  } catch {
    response.destroy();
    return false;
  }
  // The head goes out with the first bytes if they are here already, else alone. Not by flushHeaders, which writes it
  // as UTF-8.
  setImmediate(() => {
    if (!outgoing.writableEnded && !outgoing.destroyed) outgoing.write(Buffer.alloc(0));
  });
  response.pipe(outgoing);
  response.once("error", () => outgoing.socket?.resetAndDestroy());
  return true;
}

/** True for a request that the platform sends again on a new connection if the target has closed the one it was on. */
function isBodiless({ headers, method = "GET" }: IncomingMessage): boolean {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  return !hasBody && idempotentMethods.has(method);
}

/** A timeout of the platform, as an error of Node.js. */
class PlatformTimeout extends Error {
  readonly code: string;

  constructor(code: "CONNECT_TIMEOUT" | "READ_TIMEOUT") {
    super(code);
    this.code = code;
  }
}

/** Fails a request that does not connect, or gets no response, within the platform's time. */
function watchTimers(
  sent: ClientRequest,
  { connectTimeoutMs = platformConnectMs, readTimeoutMs = platformReadMs }: PlatformNetworkOptions,
): ClientRequest {
  let timer = setTimeout(() => sent.destroy(new PlatformTimeout("CONNECT_TIMEOUT")), connectTimeoutMs);
  const onConnect = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => sent.destroy(new PlatformTimeout("READ_TIMEOUT")), readTimeoutMs);
  };
  sent.on("socket", (socket) => {
    // A connection of the pool is open already.
    if (socket.connecting) socket.once("connect", onConnect);
    else onConnect();
  });
  for (const event of ["response", "upgrade", "close"]) sent.once(event, () => clearTimeout(timer));
  return sent;
}

function failureOf({ code = "" }: NodeJS.ErrnoException, { url }: Outbound) {
  return { code, isSecure: url.protocol === "https:" };
}

/** Headers of a response. Those that Connection names stay named; whether the target closes is not the Worker's. */
function responseHeaders(rawHeaders: readonly string[]): string[] {
  const kept = withoutHeaders(rawHeaders, connectionHeaders);
  const named = rawHeaders
    .filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === "connection" && index % 2 === 1)
    .flatMap((text) => text.split(","))
    .map((text) => text.trim())
    .filter((text) => !/^(?:close|keep-alive|upgrade|)$/i.test(text));
  return named.length === 0 ? kept : [...kept, "connection", named.join(", ")];
}

function withoutHeaders(rawHeaders: readonly string[], dropped: ReadonlySet<string>): string[] {
  return rawHeaders.filter((_, index) => !dropped.has(rawHeaders[index - (index % 2)]?.toLowerCase() ?? ""));
}

function printHead(status: number, statusText: string, headers: readonly string[]): string {
  const lines = headers.flatMap((name, index) =>
    index % 2 === 0 ? `${name}: ${headers[index + 1]}\r\n` : [],
  );
  return `HTTP/1.1 ${status} ${statusText}\r\n${lines.join("")}\r\n`;
}
