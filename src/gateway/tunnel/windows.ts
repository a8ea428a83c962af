// How many bytes one end of a tunnel is ready to hold. Each stream has a base of its own that no other can
// take; a pool lets streams whose readers keep up have more. So the end's memory is bounded, and a stream
// whose reader has stopped does not stop the others.

/** Largest number of open streams. */
export const maxTunnelStreams = 2_048;
/** What every stream may send in advance, bytes. */
export const baseWindowBytes = 16 * 1024;
/** What a new stream may send in advance while the pool is at least half full, bytes. */
const firstWindowBytes = 64 * 1024;
/** Largest window of a stream, bytes: 80 Mbit/s over 100 ms. */
const maxWindowBytes = 1024 * 1024;
/** What all streams together have above their bases, bytes. */
export const windowPoolBytes = 16 * 1024 * 1024;

/** The most that one end of a tunnel can be sent and has not passed on, bytes. */
export const maxHeldBytes = maxTunnelStreams * baseWindowBytes + windowPoolBytes;

/** Memory that several users share. */
export class BytePool {
  #freeBytes: number;

  constructor(bytes: number) {
    this.#freeBytes = bytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Takes bytes out of the pool; false if it has fewer. */
  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

/** What one stream may be sent: granted bytes are on their way, held ones have arrived. */
export class ReceiveWindow {
  readonly #pool: BytePool;
  #sizeBytes: number;
  #grantedBytes: number;
  #heldBytes = 0;

  constructor(pool: BytePool) {
    this.#pool = pool;
    const extra = firstWindowBytes - baseWindowBytes;
    const isGenerous = pool.freeBytes >= windowPoolBytes / 2 && pool.take(extra);
    this.#sizeBytes = isGenerous ? firstWindowBytes : baseWindowBytes;
    this.#grantedBytes = this.#sizeBytes;
  }

  /** What the other side may send now, by what it was granted. */
  get grantedBytes(): number {
    return this.#grantedBytes;
  }

  /** What has arrived and was not passed on. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Counts bytes that arrived; false if they exceed the window. */
  receive(bytes: number): boolean {
    if (bytes > this.#grantedBytes) return false;
    this.#grantedBytes -= bytes;
    this.#heldBytes += bytes;
    return true;
  }

  /** Counts bytes that were passed on. Returns what to grant now; 0: nothing. */
  passOn(bytes: number): number {
    this.#heldBytes -= bytes;
    this.#resize();
    const grant = this.#sizeBytes - this.#grantedBytes - this.#heldBytes;
    if (grant < this.#sizeBytes / 2) return 0;
    this.#grantedBytes += grant;
    return grant;
  }

  /** Returns to the pool what the stream had of it. */
  close(): void {
    this.#pool.give(this.#sizeBytes - baseWindowBytes);
    this.#sizeBytes = baseWindowBytes;
  }

  /**
   * Doubles the window if the reader keeps up and the sender has used most of it; halves it if the pool is
   * nearly empty, so that idle streams return what others need.
   */
  #resize(): void {
    const usedBytes = this.#grantedBytes + this.#heldBytes;
    const half = Math.max(baseWindowBytes, this.#sizeBytes / 2);
    if (this.#pool.freeBytes < windowPoolBytes / 8 && half < this.#sizeBytes && usedBytes <= half) {
      this.#pool.give(this.#sizeBytes - half);
      this.#sizeBytes = half;
      return;
    }
    const isHungry = this.#heldBytes === 0 && this.#grantedBytes <= this.#sizeBytes / 2;
    if (isHungry && this.#sizeBytes < maxWindowBytes && this.#pool.take(this.#sizeBytes))
      this.#sizeBytes *= 2;
  }
}
