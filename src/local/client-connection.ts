// One client connection of a listener: the order of its requests, its refusals, and its end.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { DescriptorBudget } from "./descriptor-budget.ts";
import type { ListenerProfile } from "./listener-profile.ts";
import type { Refusal } from "./read-request.ts";
import { overloaded, reasonPhrases, refusalMessage, stalledBody } from "./refusal-message.ts";

/** A request of the connection with its response. */
export type Exchange = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };

/** Ends a request at the runtime. */
export type Abort = () => void;

/** Sends a request to the runtime, or returns the reason for not doing so. */
export type Start = () => Abort | Refusal;

/**
 * Requests that may wait behind one in progress. At this number the connection is not read further; those of
 * the packet that was read already are waiting, too.
 */
const maxPipelined = 16;

/** How long a refused connection may go on, so that no reset overtakes the refusal, milliseconds. */
const lingerMs = 1_000;

/** The connection ends after a refusal. */
const closing = { connection: "close" } as const;

/**
 * Runs the requests of a connection one after the other, in the order in which they came. A refusal takes
 * its turn like a response; after it the connection ends.
 */
export class ClientConnection {
  readonly socket: Socket;
  /** The entry header of all requests of this connection. */
  readonly entry: string;
  readonly #profile: ListenerProfile;
  readonly #budget: DescriptorBudget;
  readonly #waiting: (() => void)[] = [];
  /** Requests that were parsed and will not run, because the connection ends. */
  #droppedCount = 0;
  #current: Exchange | "tunnel" | null = null;
  #abort: Abort | null = null;
  /** The current request is counted in the budget. */
  #isCounted = false;
  /** No further request is taken: one was refused, or the listener closes. */
  #isEnding = false;
  /** The listener closes when its clients have received their responses. */
  #isDraining = false;
  /** A refusal is on its way. What follows the refused request may be unreadable as well. */
  #isRefused = false;
  /** Sends the refusal that waits for the rest of its request; null if there is no such refusal. */
  #refuseNow: (() => void) | null = null;
  /** The client has ended its side, and may still read. */
  #isHalfClosed = false;
  /** Bytes received when the connection was last found quiet. */
  #bytesRead = 0;
  /** How long no byte has come, milliseconds. */
  #silentMs = 0;

  constructor(socket: Socket, profile: ListenerProfile, budget: DescriptorBudget) {
    this.socket = socket;
    this.entry = profile.entryHeader((socket.remoteAddress ?? "unknown").replace(/^::ffff:/, ""));
    this.#profile = profile;
    this.#budget = budget;
    const hasRoom = budget.connect(this, () => this.#makeRoom());
    socket.on("end", () => {
      this.#isHalfClosed = true;
    });
    // Node itself resumes a connection after each request that it has parsed.
    socket.on("resume", () => {
      if (this.#isFull()) socket.pause();
    });
    socket.once("close", () => {
      this.#dropWaiting();
      this.#stopCounting(null);
      if (hasRoom) budget.disconnect(this);
    });
    this.#endAfterUpload(socket.destroySoon.bind(socket));
    if (!hasRoom) this.#refuseOnSocket(overloaded);
  }

  /** Runs an exchange after the earlier ones. */
  run(exchange: Exchange, start: Start): void {
    this.#inTurn(() => {
      exchange.outgoing.once("close", () => this.#next(exchange));
      this.#begin(exchange, start);
    });
  }

  /** Runs a handshake after the earlier requests. The connection has no further ones. */
  runTunnel(start: Start): void {
    this.#inTurn(() => this.#begin("tunnel", start));
  }

  /** Refuses the current request, and ends the connection. */
  refuse(refusal: Refusal): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#isEnding = true;
    this.#abort?.();
    this.#abort = null;
    const current = this.#current;
    if (current === "tunnel" || current === null) this.#refuseOnSocket(refusal);
    else if (current.outgoing.headersSent) this.socket.resetAndDestroy();
    else
      this.#refuseNow = whenRead(current.incoming, refusal, () =>
        respond(current.outgoing, this.#profile, refusal),
      );
  }

  /** Refuses bytes that are no request, after the responses to the requests before them. */
  refuseUnreadable(refusal: Refusal): void {
    const current = this.#current;
    if (current === "tunnel") this.socket.resetAndDestroy();
    else if (current?.incoming.complete !== true) this.refuse(refusal);
    else this.#inTurn(() => this.#refuseOnSocket(refusal));
  }

  /** Takes no request behind the current one; its response says so (`Connection: close`). */
  endAfter(outgoing: ServerResponse): void {
    this.#isEnding = true;
    this.#dropWaiting();
    outgoing.shouldKeepAlive = false;
  }

  /** Ends the connection after the current response; at once without one. */
  end(): void {
    this.#isEnding = true;
    this.#dropWaiting();
    if (this.#current === "tunnel") this.socket.end();
    else if (this.#current === null) this.socket.destroy();
    else this.#sayClose(this.#current);
  }

  /**
   * Ends the connection after a response that says so (`Connection: close`): the current one, or the next. A client
   * that has just sent a request on an idle connection would lose it to a close. One that sends none is closed when
   * it has been idle for the usual time.
   */
  drain(): void {
    this.#isDraining = true;
    const current = this.#current;
    if (current === null || current === "tunnel" || current.outgoing.headersSent) return;
    if (this.#waiting.length === 0) this.endAfter(current.outgoing);
  }

  /**
   * Ends a connection on which nothing was sent or read for a while, unless the mesh or the task is to send
   * next. A client that stopped sending a body gets a 408.
   *
   * @param quietMs since the last call or byte
   * @param bodyTimeoutMs time without a byte of a body
   * @returns false if the connection stays
   */
  expire(quietMs: number, bodyTimeoutMs: number): boolean {
    const current = this.#current;
    if (current === "tunnel") return false;
    if (current === null) {
      this.socket.destroy();
      return true;
    }
    const { incoming, outgoing } = current;
    const { bytesRead } = this.socket;
    this.#silentMs = bytesRead === this.#bytesRead ? this.#silentMs + quietMs : quietMs;
    this.#bytesRead = bytesRead;
    // Paused: the task does not read, which is not the client's fault.
    const isUploadStalled = !incoming.complete && !incoming.isPaused();
    if (isUploadStalled && this.#silentMs < bodyTimeoutMs) return false;
    if (isUploadStalled && !outgoing.headersSent) {
      this.refuse(stalledBody(bodyTimeoutMs));
      return true;
    }
    if (!isUploadStalled && !this.#isHalfClosed && this.socket.writableLength === 0) return false;
    this.socket.resetAndDestroy();
    return true;
  }

  #inTurn(begin: () => void): void {
    if (!this.#isEnding && this.#current === null) {
      begin();
      return;
    }
    if (this.#isEnding) {
      this.#droppedCount += 1;
    } else {
      this.#waiting.push(begin);
      const hasRoom = this.#budget.wait();
      if (!hasRoom && this.#waiting.length > maxPipelined) this.socket.resetAndDestroy();
    }
    if (this.#isFull()) this.socket.pause();
  }

  #isFull(): boolean {
    return this.#waiting.length + this.#droppedCount >= maxPipelined;
  }

  #dropWaiting(): void {
    this.#budget.stopWaiting(this.#waiting.length);
    this.#droppedCount += this.#waiting.length;
    this.#waiting.length = 0;
  }

  #sayClose({ outgoing }: Exchange): void {
    if (!outgoing.headersSent) outgoing.shouldKeepAlive = false;
  }

  #begin(current: Exchange | "tunnel", start: Start): void {
    this.#current = current;
    const isLast = this.#isDraining && this.#waiting.length === 0;
    if (isLast && current !== "tunnel") this.endAfter(current.outgoing);
    this.#isCounted = this.#budget.begin(this, performance.now());
    const started = this.#isCounted ? start() : overloaded;
    if (typeof started === "function") this.#abort = started;
    else this.refuse(started);
  }

  /**
   * Node ends a connection after its last response with `destroySoon`. If the client is still sending, the
   * close would reset the connection, and the reset may overtake the response. Only this side ends then.
   */
  #endAfterUpload(destroySoon: () => void): void {
    this.socket.destroySoon = () => {
      const current = this.#current;
      if (current === null || current === "tunnel" || current.incoming.complete) {
        destroySoon();
        return;
      }
      this.socket.end();
      current.incoming.once("close", destroySoon);
    };
  }

  /** An exchange has ended. The client may still be sending its body, and reads the response after that. */
  #next({ incoming }: Exchange): void {
    if (this.#isEnding && !this.socket.writableEnded) this.socket.destroySoon();
    this.#current = null;
    this.#abort = null;
    this.#stopCounting(() => this.#makeRoom());
    if (!incoming.complete) incoming.unpipe().resume();
    if (this.#isEnding) return;
    const begin = this.#waiting.shift();
    if (begin === undefined) return;
    this.#budget.stopWaiting(1);
    if (this.socket.isPaused() && !this.#isFull()) this.socket.resume();
    begin();
  }

  /** Gives the descriptor back at once; what was written is on its way. */
  #makeRoom(): void {
    if (this.#refuseNow !== null) this.#refuseNow();
    // The first request may have arrived, and not have been read.
    else if (this.socket.bytesRead === 0) this.#refuseOnSocket(overloaded);
    this.socket.destroy();
  }

  #stopCounting(endIdle: (() => void) | null): void {
    if (this.#isCounted) this.#budget.end(this, endIdle);
    this.#isCounted = false;
  }

  #refuseOnSocket(refusal: Refusal): void {
    this.#isRefused = true;
    this.#isEnding = true;
    const { line, headers, body } = refusalMessage(this.#profile, refusal);
    const lines = Object.entries({ ...headers, ...closing }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.end(`HTTP/1.1 ${line}\r\n${lines.join("")}\r\n${body}`);
    setTimeout(() => this.socket.destroy(), lingerMs).unref();
  }
}

/**
 * Waits for the rest of a request that is on its way, but not for a body that the client holds back.
 *
 * @returns ends the wait
 */
function whenRead(incoming: IncomingMessage, { status }: Refusal, respondNow: () => void): () => void {
  const isHeldBack = status === 408 || incoming.headers.expect !== undefined;
  let isDone = false;
  const done = (): void => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    incoming.off("end", done);
    respondNow();
  };
  const timer = setTimeout(done, lingerMs);
  if (incoming.complete || incoming.socket.readableEnded || isHeldBack) {
    done();
  } else {
    incoming.unpipe();
    incoming.once("end", done);
    incoming.resume();
  }
  return done;
}

function respond(outgoing: ServerResponse, profile: ListenerProfile, refusal: Refusal): void {
  const { headers, body } = refusalMessage(profile, refusal);
  outgoing.sendDate = false;
  outgoing.writeHead(refusal.status, reasonPhrases[refusal.status], { ...headers, ...closing }).end(body);
}
