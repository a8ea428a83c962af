// One stream of an HTTP/2 connection: a request and its response.

import type { IncomingMessage } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Abort } from "../client-connection.ts";
import type { ClientExchange } from "../forward-request.ts";
import type { ListenerTimeouts } from "../listener-limits.ts";
import type { ListenerProfile } from "../listener-profile.ts";
import type { Refusal } from "../read-request.ts";
import { refusalMessage, stalledBody } from "../refusal-message.ts";
import { http2ResponseHeaders } from "../response-headers.ts";

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** How long a client may go on with a body after its response, milliseconds. Then the stream is reset. */
const lingerMs = 1_000;

/**
 * Times `clientMs` that a response may make no progress while others of the connection do: over a slow connection
 * each of many gets its turn late.
 */
const starvedFactor = 10;

/** Node adds no Date. Its types do not have the option, which its own HTTP/1.1 compatible API uses. */
const asSent = { endStream: false, sendDate: false };

/** DATA frames of a connection that its tasks have not read. Each takes about 300 bytes, besides its own. */
export const maxUnreadFrames = 8_192;

/** DATA frames of a connection's streams that wait to be read. */
export type UnreadFrames = { count: number };

/**
 * Passes the response of a stream. One that breaks off resets the stream, so that no reader takes it for complete.
 * Whatever happens, the connection and its other streams go on.
 */
export class StreamExchange implements ClientExchange {
  readonly body: ServerHttp2Stream;
  readonly #profile: ListenerProfile;
  /** Of all streams of the connection. */
  readonly #unread: UnreadFrames;
  #ownUnread = 0;
  #abort: Abort | null = null;
  #isRefused = false;
  /** The mesh has reset the stream. */
  #isReset = false;
  #isAbandoned = false;
  /** The whole body has arrived. */
  #isReceived = false;
  #bodyBytes = 0;
  #bodyAtMs: number;
  /** Bytes of the response that were written to the stream. */
  #writtenBytes = 0;
  /** Those that went out when this was last looked at. */
  #sentBytes = 0;
  #sentAtMs: number;

  constructor(stream: ServerHttp2Stream, profile: ListenerProfile, unread: UnreadFrames, nowMs: number) {
    this.body = stream;
    this.#profile = profile;
    this.#unread = unread;
    this.#bodyAtMs = nowMs;
    this.#sentAtMs = nowMs;
    this.#watchBody();
    stream.on("error", () => undefined);
    // If the client has reset the stream, Node ends its body without an error, as if it were complete.
    stream.once("end", () => {
      if (stream.closed) this.#lose();
    });
    stream.once("close", () => {
      this.#lose();
      this.#unread.count -= this.#ownUnread;
    });
  }

  /** True if the client has reset the stream before it had its whole response. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  readonly hasResponse = (): boolean => this.body.headersSent;

  readonly refuse = (refusal: Refusal): void => {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#abort?.();
    this.#abort = null;
    if (this.body.closed || this.body.destroyed) return;
    if (this.body.headersSent) {
      this.reset(NGHTTP2_INTERNAL_ERROR, refusal.reason);
      return;
    }
    const { headers, body } = refusalMessage(this.#profile, refusal);
    this.body.respond({ ":status": refusal.status, ...headers }, asSent);
    if (!this.body.writableEnded) this.body.end(body);
    this.#dropRest();
  };

  readonly respond = (response: IncomingMessage): void => {
    const stream = this.body;
    const { statusCode = 502, rawHeaders } = response;
    if (stream.closed || stream.destroyed || stream.headersSent) return;
    if (statusCode > 599) {
      this.refuse({ status: 502, reason: `HTTP/2 has no status ${statusCode}, which the task sent` });
      return;
    }
    const headers = http2ResponseHeaders(statusCode, rawHeaders);
    stream.respond({ ...headers, ":status": statusCode }, asSent);
    response.once("error", () => this.reset(NGHTTP2_INTERNAL_ERROR, "the response broke off"));
    // Of HEAD, and of a status without a body.
    if (stream.writableEnded) {
      response.resume();
      this.#dropRest();
      return;
    }
    response.on("data", (part: Buffer) => {
      this.#writtenBytes += part.length;
    });
    response.pipe(stream);
    stream.once("finish", () => this.#dropRest());
  };

  readonly onLost = (abort: Abort): void => {
    this.#abort = abort;
  };

  /**
   * Ends a stream on which the client neither sends nor reads. A client that stopped sending a body gets a 408.
   *
   * @param sessionSentAtMs when the connection last took bytes, of whatever stream
   */
  expire(
    nowMs: number,
    sessionSentAtMs: number,
    { clientMs }: Pick<ListenerTimeouts, "clientMs">,
    bodyTimeoutMs: number,
  ): void {
    const stream = this.body;
    const sentBytes = this.#writtenBytes - stream.writableLength;
    const isReading = sentBytes !== this.#sentBytes || stream.writableLength === 0;
    if (isReading) this.#sentAtMs = nowMs;
    this.#sentBytes = sentBytes;
    // Paused: the task does not read, which is not the client's fault.
    if (this.#isReceived || stream.isPaused()) this.#bodyAtMs = nowMs;
    if (nowMs - this.#bodyAtMs >= bodyTimeoutMs) {
      if (!stream.headersSent) this.refuse(stalledBody(bodyTimeoutMs));
      else if (stream.writableLength === 0) this.reset(NGHTTP2_CANCEL, "the client stopped sending");
    }
    const quietMs = nowMs - this.#sentAtMs;
    const isStalled = quietMs >= clientMs && nowMs - sessionSentAtMs >= clientMs;
    if (isStalled || quietMs >= starvedFactor * clientMs)
      this.reset(NGHTTP2_CANCEL, "the client does not read");
  }

  /** Counts what arrives. Node keeps each DATA frame that is not read as a buffer of its own. */
  #watchBody(): void {
    const stream = this.body;
    const push = stream.push.bind(stream);
    stream.push = (part: Buffer | null): boolean => {
      if (part === null) this.#isReceived = true;
      else this.#countFrame(part.length);
      return push(part);
    };
    this.#isReceived = stream.readableEnded || stream.endAfterHeaders;
  }

  #countFrame(bytes: number): void {
    this.#bodyBytes += bytes;
    this.#bodyAtMs = performance.now();
    if (this.body.readableLength === 0) {
      this.#unread.count -= this.#ownUnread;
      this.#ownUnread = 0;
    }
    this.#ownUnread += 1;
    this.#unread.count += 1;
    if (this.#unread.count > maxUnreadFrames)
      this.reset(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames wait to be read");
  }

  /**
   * Resets the stream. Once a response has begun, Node ends it in `close`, and it would look complete; it does not in
   * `destroy`, which has INTERNAL_ERROR as the only code.
   */
  reset(code: number, why: string): void {
    if (this.body.destroyed) return;
    this.#isReset = true;
    if (this.body.headersSent) this.body.destroy(new Error(why));
    else this.body.close(code);
  }

  /** The client is gone, unless it has the whole response. A reset also finishes the response, as aborted. */
  #lose(): void {
    const { headersSent, writableFinished, aborted } = this.body;
    const isComplete = headersSent && writableFinished && !aborted;
    if (!isComplete && !this.#isReset) this.#isAbandoned = true;
    if (!isComplete) this.#abort?.();
    this.#abort = null;
  }

  /** The client may go on with its body for a while: one that sends all of it before it reads gets the response. */
  #dropRest(): void {
    const stream = this.body;
    if (this.#isReceived || stream.closed) return;
    stream.unpipe();
    stream.resume();
    const timer = setTimeout(() => {
      if (!stream.closed) stream.close(NGHTTP2_NO_ERROR);
    }, lingerMs);
    stream.once("close", () => clearTimeout(timer));
  }
}
