// A connection to the Workers runtime that delivers what the runtime sent before it closed the connection.

import { Socket } from "node:net";

type OnWritten = (error?: Error | null) => void;

/** The errors of a write to a connection that the peer has closed. */
const closedByPeer: ReadonlySet<string | undefined> = new Set(["ECONNRESET", "EPIPE"]);

/**
 * A socket that a failed write does not end. The runtime may respond before the end of an upload, and then
 * resets the connection. Node would destroy the socket at the next write, with the response unread in the
 * kernel's buffer. Here the bytes of that write and of later ones are dropped, and the connection ends where
 * reading ends: behind the last byte that arrived.
 */
export class RuntimeSocket extends Socket {
  #isClosedByPeer = false;

  override _write(bytes: unknown, encoding: BufferEncoding, onWritten: OnWritten): void {
    if (this.#isClosedByPeer) onWritten();
    else super._write(bytes, encoding, this.#withoutReset(onWritten));
  }

  override _writev(parts: { chunk: unknown; encoding: BufferEncoding }[], onWritten: OnWritten): void {
    if (this.#isClosedByPeer) onWritten();
    else super._writev?.(parts, this.#withoutReset(onWritten));
  }

  #withoutReset(onWritten: OnWritten): OnWritten {
    return (error) => {
      this.#isClosedByPeer = closedByPeer.has((error as NodeJS.ErrnoException | null | undefined)?.code);
      onWritten(this.#isClosedByPeer ? null : error);
    };
  }
}
