// One request of a router and its response, whatever carries them: an HTTP connection to the gateway, or the
// tunnel of the agent. The gateway decides; a transport implements this.

import type { Duplex, Readable } from "node:stream";

/** A response head. A character of a string is a byte. */
export type ResponseHead = {
  /** 101, or 200–999. */
  readonly status: number;
  /** The reason phrase; may be empty. */
  readonly reason: string;
  /** Names and values in turn. A body without a content-length ends with its stream. */
  readonly rawHeaders: readonly string[];
  /** The request proves nothing: its sender gets no further response on this connection. */
  readonly isLast?: boolean;
};

/** The bytes of a body. After the end, `rawTrailers` has names and values in turn. */
export type BodyStream = Readable & { readonly rawTrailers?: readonly string[] };

/**
 * A request that arrived, and the means to respond to it. One of `respond` and `switchProtocols` is called,
 * once, unless the router is gone before.
 */
export interface GatewayExchange {
  /** The method on the wire. */
  readonly method: string;
  /** Names and values in turn, as received; a character is a byte. They frame the body as in HTTP/1.1. */
  readonly rawHeaders: readonly string[];
  /** True if the request asks for another protocol and has no body. */
  readonly isUpgrade: boolean;
  /** Read only if the headers announce a body. Reading it may tell the router to send it. */
  readonly body: BodyStream;
  /**
   * Called once, when the response is complete or the router is gone. The gateway sets it, and replaces it
   * as the exchange goes on.
   */
  onClose: () => void;
  /** Sends a response. If its body fails, the transport breaks the response off, so that it is not complete. */
  respond(head: ResponseHead, body: BodyStream | string): void;
  /**
   * Sends a 101, then passes bytes both ways until both sides have ended.
   *
   * @param first bytes that came from the task behind its 101
   */
  switchProtocols(head: ResponseHead, task: Duplex, first: Buffer): void;
}
