// A request that came over an HTTP connection to the gateway.

import { type IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { joinStreams, resetStream } from "../../net/join-streams.ts";
import type { BodyStream, GatewayExchange, ResponseHead } from "./exchange.ts";
import { trailerLines } from "./forward.ts";
import { unwantedBodyMs } from "./limits.ts";

/** A request and its response. */
export class HttpExchange implements GatewayExchange {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly isUpgrade = false;
  onClose: () => void = () => undefined;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #expectsContinue: boolean;

  /** @param expectsContinue the router waits for a 100 before it sends the body */
  constructor(incoming: IncomingMessage, outgoing: ServerResponse, expectsContinue: boolean) {
    this.method = incoming.method ?? "";
    this.rawHeaders = incoming.rawHeaders;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#expectsContinue = expectsContinue;
    // Without a listener, a router that breaks off its body would end the process.
    incoming.on("error", () => undefined);
    outgoing.once("close", () => this.onClose());
  }

  get body(): BodyStream {
    if (this.#expectsContinue && !this.#outgoing.headersSent) this.#outgoing.writeContinue();
    return this.#incoming;
  }

  respond(head: ResponseHead, body: BodyStream | string): void {
    const [incoming, outgoing] = [this.#incoming, this.#outgoing];
    if (outgoing.destroyed) return;
    if (!incoming.complete) this.#limitRest();
    if (head.isLast === true) outgoing.shouldKeepAlive = false;
    sendHead(outgoing, head);
    if (typeof body === "string") outgoing.end(body);
    else relayBody(body, outgoing);
  }

  switchProtocols(): void {
    throw new Error("this request did not ask for another protocol");
  }

  /** After the response, ends a connection whose request goes on and on. */
  #limitRest(): void {
    const [incoming, outgoing] = [this.#incoming, this.#outgoing];
    outgoing.once("finish", () => {
      if (incoming.complete) return;
      const timer = setTimeout(() => resetStream(incoming.socket), unwantedBodyMs);
      incoming.once("close", () => clearTimeout(timer));
      incoming.unpipe();
      incoming.resume();
    });
  }
}

/** A request for another protocol. Node has no further part in its connection. */
export class UpgradeExchange implements GatewayExchange {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly isUpgrade = true;
  readonly body: BodyStream = Readable.from([]);
  onClose: () => void = () => undefined;
  readonly #incoming: IncomingMessage;
  readonly #socket: Duplex;

  /** @param rest what came behind the head: it is for the other protocol */
  constructor(incoming: IncomingMessage, socket: Duplex, rest: Buffer) {
    this.method = incoming.method ?? "";
    this.rawHeaders = incoming.rawHeaders;
    this.#incoming = incoming;
    this.#socket = socket;
    if (rest.length > 0) socket.unshift(rest);
    socket.once("close", () => this.onClose());
  }

  /** Refuses the other protocol, which ends the connection: what the router sends next may be in it. */
  respond(head: ResponseHead, body: BodyStream | string): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const outgoing = new ServerResponse(this.#incoming);
    outgoing.shouldKeepAlive = false;
    outgoing.assignSocket(this.#incoming.socket);
    outgoing.once("finish", () => {
      socket.end();
      socket.resume();
      const timer = setTimeout(() => socket.destroy(), unwantedBodyMs);
      socket.once("close", () => clearTimeout(timer));
    });
    sendHead(outgoing, head);
    if (typeof body === "string") outgoing.end(body);
    else relayBody(body, outgoing);
  }

  switchProtocols(head: ResponseHead, task: Duplex, first: Buffer): void {
    const socket = this.#socket;
    const lines = [`HTTP/1.1 101 ${head.reason}`];
    for (let index = 0; index < head.rawHeaders.length; index += 2) {
      lines.push(`${head.rawHeaders[index]}: ${head.rawHeaders[index + 1]}`);
    }
    socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    if (first.length > 0) socket.write(first);
    joinStreams(socket, task);
  }
}

function sendHead(outgoing: ServerResponse, { status, reason, rawHeaders }: ResponseHead): void {
  outgoing.sendDate = false;
  outgoing.writeHead(status, reason, rawHeaders as string[]);
}

/** Passes a body on with backpressure. If it fails, the connection is reset, so that it is not complete. */
function relayBody(body: BodyStream, outgoing: ServerResponse): void {
  // The head goes out with the first bytes if they are here already, else alone.
  setImmediate(() => {
    // Not flushHeaders, which writes the head as UTF-8.
    if (!outgoing.writableEnded && !outgoing.destroyed) outgoing.write(Buffer.alloc(0));
  });
  body.on("data", (part: Buffer) => {
    if (!outgoing.write(part)) body.pause();
  });
  outgoing.on("drain", () => body.resume());
  body.once("end", () => {
    const trailers = trailerLines(body.rawTrailers ?? []);
    if (trailers.length > 0) outgoing.addTrailers(trailers);
    outgoing.end();
  });
  body.once("error", () => {
    if (outgoing.socket !== null) resetStream(outgoing.socket);
  });
}
