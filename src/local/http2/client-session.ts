// One HTTP/2 connection of a listener: its streams, which run at the same time, and its end.

import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { DescriptorBudget } from "../descriptor-budget.ts";
import { forwardRequest } from "../forward-request.ts";
import { type ListenerTimeouts, maxHeaderBytes } from "../listener-limits.ts";
import type { ListenerProfile } from "../listener-profile.ts";
import { headTooLarge } from "../parse-refusal.ts";
import { type Refusal, type RuntimeRequest, readRequest } from "../read-request.ts";
import { unknownExpectation } from "../refusal-message.ts";
import type { RuntimeAgent } from "../runtime-agent.ts";
import { FrameAllowance } from "./frame-allowance.ts";
import { StreamExchange, type UnreadFrames } from "./stream-exchange.ts";
import { headBytes, headerOf, readStreamHead } from "./stream-head.ts";

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants;
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_SETTINGS_TIMEOUT } = constants;

/** How long a connection that has ended may take to close, milliseconds. */
const lingerMs = 1_000;

/** What the connections of a listener share. */
export type SessionContext = {
  readonly profile: ListenerProfile;
  readonly agent: RuntimeAgent;
  readonly budget: DescriptorBudget;
  readonly timeouts: ListenerTimeouts;
  /** The current `longestBodyTimeoutMs`. */
  readonly bodyTimeoutMs: () => number;
};

/**
 * Runs the streams of a connection. The connection counts as one in the budget of descriptors, each stream as a
 * request; a stream for which there is no room is refused, which tells the client that it was not processed.
 */
export class ClientSession {
  readonly #session: ServerHttp2Session;
  readonly #socket: TLSSocket;
  readonly #context: SessionContext;
  /** The entry header of all requests of this connection. */
  readonly #entry: string;
  readonly #exchanges = new Map<ServerHttp2Stream, StreamExchange>();
  readonly #unread: UnreadFrames = { count: 0 };
  readonly #allowance: FrameAllowance;
  #hasRoom: boolean;
  #headBytes = 0;
  #abandoned = 0;
  /** Of streams that have ended. */
  #bodyBytes = 0;
  #sentBytes = 0;
  #sentAtMs: number;
  readonly #beganMs: number;
  /** Ends behind the next stream. */
  #isDraining = false;
  #hasServed = false;
  #idleSinceMs: number;
  #endedAtMs: number | null = null;

  /** @param nowMs of a clock that never goes back, as in all other methods */
  constructor(session: ServerHttp2Session, socket: TLSSocket, context: SessionContext, nowMs: number) {
    this.#session = session;
    this.#socket = socket;
    this.#context = context;
    this.#entry = context.profile.entryHeader((socket.remoteAddress ?? "unknown").replace(/^::ffff:/, ""));
    this.#allowance = new FrameAllowance(nowMs);
    this.#beganMs = nowMs;
    this.#sentAtMs = nowMs;
    this.#idleSinceMs = nowMs;
    session.on("error", () => undefined);
    socket.on("error", () => undefined);
    session.on("stream", (stream, _headers, flags, rawHeaders) => {
      this.#receive(stream, rawHeaders, (flags & NGHTTP2_FLAG_END_STREAM) === 0);
      if (this.#isDraining) this.end();
    });
    socket.once("close", () => {
      if (this.#hasRoom) context.budget.disconnect(this);
      this.#hasRoom = false;
    });
    this.#hasRoom = context.budget.connect(this, () => this.#makeRoom());
    if (!this.#hasRoom)
      session.destroy(
        new Error("this machine has no room for another connection"),
        NGHTTP2_ENHANCE_YOUR_CALM,
      );
  }

  /** Takes no further stream, and ends after those that are open. */
  end(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  /**
   * Ends as `end` does if streams are open, else behind the next one: a client may have sent a request already. A
   * stream that arrives after the GOAWAY is not processed, and the client learns that from it (RFC 9113 §6.8). nghttp2
   * would drop such streams after a GOAWAY that announces the end as well, so that one is not sent.
   */
  drain(): void {
    if (this.#exchanges.size > 0) this.end();
    this.#isDraining = true;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends a connection that is idle or sends too many frames, and streams that make no progress. */
  sweep(nowMs: number): void {
    if (this.#session.destroyed) {
      this.#endedAtMs ??= nowMs;
      if (nowMs - this.#endedAtMs >= lingerMs) this.#socket.destroy();
      return;
    }
    const { bytesWritten } = this.#socket;
    if (bytesWritten !== this.#sentBytes) this.#sentAtMs = nowMs;
    this.#sentBytes = bytesWritten;
    this.#checkAllowance(nowMs);
    // Until then the client's streams have the limits of HTTP/2 without settings.
    if (this.#session.pendingSettingsAck && nowMs - this.#beganMs >= this.#context.timeouts.headMs)
      this.#session.destroy(new Error("the client does not confirm the settings"), NGHTTP2_SETTINGS_TIMEOUT);
    else if (this.#exchanges.size === 0) this.#expireIdle(nowMs);
    else this.#expireStreams(nowMs);
  }

  #checkAllowance(nowMs: number): void {
    const { bytesRead: received, bytesWritten: sent } = this.#socket;
    const bodies = this.#receivedBodyBytes();
    const traffic = { received, sent, bodies, heads: this.#headBytes, abandoned: this.#abandoned };
    if (!this.#allowance.isExceeded(traffic, nowMs) || this.#session.destroyed) return;
    this.#session.destroy(
      new Error("the client sends too many frames, or resets too many streams"),
      NGHTTP2_ENHANCE_YOUR_CALM,
    );
  }

  #receivedBodyBytes(): number {
    let sum = this.#bodyBytes;
    for (const { bodyBytes } of this.#exchanges.values()) sum += bodyBytes;
    return sum;
  }

  #expireIdle(nowMs: number): void {
    const { headMs, keepAliveMs } = this.#context.timeouts;
    if (nowMs - this.#idleSinceMs < (this.#hasServed ? keepAliveMs : headMs)) return;
    // It has been ended, and the client does not read.
    if (this.#session.closed) this.#socket.destroy();
    else this.end();
    this.#idleSinceMs = nowMs;
  }

  #expireStreams(nowMs: number): void {
    const { timeouts, bodyTimeoutMs } = this.#context;
    for (const exchange of this.#exchanges.values())
      exchange.expire(nowMs, this.#sentAtMs, timeouts, bodyTimeoutMs());
  }

  #receive(stream: ServerHttp2Stream, rawHeaders: readonly string[], hasBody: boolean): void {
    const { profile, agent, budget } = this.#context;
    const nowMs = performance.now();
    const exchange = new StreamExchange(stream, profile, this.#unread, nowMs);
    this.#hasServed = true;
    this.#headBytes += headBytes(rawHeaders);
    this.#exchanges.set(stream, exchange);
    stream.once("close", () => this.#forget(stream, exchange));
    // The client has reset it already.
    if (stream.closed || stream.destroyed) return;
    if (!budget.beginStream(this, stream, nowMs)) {
      exchange.reset(NGHTTP2_REFUSED_STREAM, "too many requests are open on this machine");
      return;
    }
    const request = this.#read(rawHeaders, hasBody);
    if ("status" in request) {
      exchange.refuse(request);
      return;
    }
    if (hasBody && request.expectsContinue) stream.additionalHeaders({ ":status": 100 });
    forwardRequest(exchange, request, agent);
  }

  #read(
    rawHeaders: readonly string[],
    hasBody: boolean,
  ): (RuntimeRequest & { readonly expectsContinue: boolean }) | Refusal {
    if (headBytes(rawHeaders) > maxHeaderBytes) return headTooLarge;
    const head = readStreamHead(rawHeaders, hasBody);
    const request = readRequest(head, this.#entry, "");
    if ("status" in request) return request;
    const expectation = headerOf(head, "expect");
    const expectsContinue = expectation?.toLowerCase() === "100-continue";
    if (expectation !== null && !expectsContinue) return unknownExpectation(expectation);
    return { ...request, expectsContinue };
  }

  #forget(stream: ServerHttp2Stream, exchange: StreamExchange): void {
    this.#exchanges.delete(stream);
    this.#bodyBytes += exchange.bodyBytes;
    if (exchange.isAbandoned) {
      this.#abandoned += 1;
      this.#checkAllowance(performance.now());
    }
    const isIdle = this.#exchanges.size === 0;
    if (isIdle) this.#idleSinceMs = performance.now();
    const endIdle = isIdle && this.#hasRoom ? () => this.#makeRoom() : null;
    this.#context.budget.endStream(this, stream, endIdle);
  }

  /** Gives the descriptor back. A request that is on its way is not processed, and the client learns that. */
  #makeRoom(): void {
    this.#hasRoom = false;
    this.#session.destroy();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }
}
