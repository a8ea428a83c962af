// Passes the bytes of two streams to each other: an upgraded connection, or a byte tunnel.

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/**
 * Copies bytes both ways with backpressure. Each side's end is passed on alone, so that the other side may go
 * on; a side that is reset resets the other. Once a side is closed, the other one gets what is left for it and
 * is closed as well.
 *
 * @param halfOpenMs how long one side may go on after the other has ended, milliseconds; then both are closed
 */
export function joinStreams(one: Duplex, other: Duplex, halfOpenMs = Number.POSITIVE_INFINITY): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.allowHalfOpen = true;
    from.on("error", () => undefined);
    if (halfOpenMs < Number.POSITIVE_INFINITY) {
      from.once("end", () => {
        const timer = setTimeout(() => resetStream(from), halfOpenMs);
        from.once("close", () => clearTimeout(timer));
      });
    }
    from.once("close", () => {
      if (to.destroyed) return;
      if (from.errored !== null || !from.readableEnded) resetStream(to);
      else closeAfterWriting(to);
    });
    from.pipe(to);
  }
}

/** What the other side sent last is still on its way. Nothing that this one sends could be delivered. */
function closeAfterWriting(stream: Duplex): void {
  if (stream.writableFinished) {
    stream.destroy();
    return;
  }
  stream.once("finish", () => stream.destroy());
  if (!stream.writableEnded) stream.end();
}

/**
 * Ends a stream so that its peer does not take what it got for complete.
 *
 * A socket that is being shut down cannot be reset: Node would leave its descriptor open (libuv's
 * `uv_tcp_close_reset` refuses it, seen in Node 24). What it had to write is lost in either case.
 */
export function resetStream(stream: Duplex): void {
  if (stream.destroyed) return;
  if (stream.writableEnded && !stream.writableFinished) stream.destroy();
  else if (stream instanceof Socket && !(stream instanceof TLSSocket)) stream.resetAndDestroy();
  else stream.destroy(new Error("the other side of the connection is gone"));
}
