// How much a client of HTTP/2 may send besides its requests: control frames, the frames around its bodies, and
// requests that it gives up. PING, SETTINGS, PRIORITY, WINDOW_UPDATE, frames of one byte and resets cost the mesh more
// than the client.

/** The most that may be sent at once. A PING has 17, a WINDOW_UPDATE 13, the frame around a part of a body 9. */
const burstBytes = 256 * 1024;

/** How fast the allowance grows. */
const bytesPerSecond = 16 * 1024;

/** Bytes of responses that justify a byte of WINDOW_UPDATE frames. Clients send two frames for 16 KiB or more. */
const responseBytesPerByte = 8;

/**
 * What a stream costs, bytes, if its client resets it before it has the response (CVE-2023-44487). A client may reset
 * 256 at once, as a browser does when a page is left, and 16 a second after that.
 */
const abandonedStreamBytes = 1_024;

/** What a connection has carried so far, bytes without TLS. */
export type SessionTraffic = {
  readonly received: number;
  /** Of request heads, before their compression. */
  readonly heads: number;
  /** Of request bodies. */
  readonly bodies: number;
  readonly sent: number;
  /** Streams that the client has reset before it had the whole response. */
  readonly abandoned: number;
};

/**
 * The allowance of one connection, which grows with time, and with what the client's requests carry.
 *
 * @see docs/decisions/0133-http2-by-nghttp2.md
 */
export class FrameAllowance {
  #leftBytes = burstBytes;
  #atMs: number;
  #spent = 0;

  /** @param nowMs of a clock that never goes back */
  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** True if the client has sent more than its allowance. */
  isExceeded({ received, heads, bodies, sent, abandoned }: SessionTraffic, nowMs: number): boolean {
    // As much again as a body may go into the frames around its parts.
    const carried = heads + 2 * bodies + sent / responseBytesPerByte;
    const spent = received + abandoned * abandonedStreamBytes - carried;
    const grown = this.#leftBytes + (bytesPerSecond * (nowMs - this.#atMs)) / 1_000 - (spent - this.#spent);
    this.#leftBytes = Math.min(burstBytes, grown);
    this.#spent = spent;
    this.#atMs = nowMs;
    return this.#leftBytes < 0;
  }
}
