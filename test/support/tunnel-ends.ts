// Both ends of a tunnel in memory, joined by a socket that delivers messages when the test says so.

import { type Frame, readFrames } from "../../src/gateway/tunnel/frames.ts";
import type { TunnelStream } from "../../src/gateway/tunnel/stream.ts";
import { TunnelEnd } from "../../src/gateway/tunnel/tunnel.ts";

/** A request as the agent's end received it. */
export type ReceivedRequest = { readonly stream: TunnelStream; readonly head: string };

/** One end, what it has sent, and the requests that reached it. */
export class TestEnd {
  readonly end: TunnelEnd;
  readonly requests: ReceivedRequest[] = [];
  /** Messages that it sent and that were not taken yet. */
  readonly sent: Uint8Array[] = [];
  readonly #flushes: (() => void)[] = [];

  constructor(side: "object" | "agent", firstStream = 1) {
    this.end = new TunnelEnd({
      side,
      firstStream,
      send: (message) => this.sent.push(message),
      defer: (flush) => this.#flushes.push(flush),
      onRequest: (stream, head) => this.requests.push({ stream, head: new TextDecoder().decode(head) }),
      onIdle: () => {},
    });
  }

  /** The messages that it has sent since the last call. */
  takeMessages(): Uint8Array[] {
    for (const flush of this.#flushes.splice(0)) flush();
    return this.sent.splice(0);
  }

  /** The frames of these messages. */
  takeFrames(): Frame[] {
    return this.takeMessages().flatMap((message) => readFrames(message));
  }
}

/** Delivers what either end has sent until neither sends more. */
export async function settle(...ends: readonly [TestEnd, TestEnd]): Promise<void> {
  const [one, two] = ends;
  for (let quiet = 0; quiet < 3; ) {
    const [fromOne, fromTwo] = [one.takeMessages(), two.takeMessages()];
    for (const message of fromOne) two.end.receive(message);
    for (const message of fromTwo) one.end.receive(message);
    quiet = fromOne.length + fromTwo.length === 0 ? quiet + 1 : 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
