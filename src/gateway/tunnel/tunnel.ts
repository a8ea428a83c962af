// One end of a tunnel: the streams that share its socket. What the other end sends is checked; the first
// frame that breaks the protocol ends the tunnel, and with it all streams. Frames of streams that have ended
// are ignored: they were on their way.

import {
  type Frame,
  maxDataBytes,
  maxStreamNumber,
  readFrames,
  sizeOfFrame,
  TunnelViolation,
  writeFrames,
} from "./frames.ts";
import { type TunnelSide, TunnelStream } from "./stream.ts";
import { BytePool, maxTunnelStreams, ReceiveWindow, windowPoolBytes } from "./windows.ts";

/** Heads that the object has sent and the agent has not accepted may take so much memory, bytes. */
const maxPendingHeadBytes = 4 * 1024 * 1024;
/** What a head takes besides its bytes. */
const pendingHeadCost = 256;

type TunnelEndOptions = {
  readonly side: TunnelSide;
  /** Number of the first stream that the object opens; the agent has no use for it. */
  readonly firstStream: number;
  /** Sends a message of the socket. */
  readonly send: (message: Uint8Array<ArrayBuffer>) => void;
  /** Calls `flush` soon. What is sent until then shares a message. */
  readonly defer: (flush: () => void) => void;
  /** A request has come; its head. Only at the agent's end. */
  readonly onRequest: (stream: TunnelStream, head: Uint8Array) => void;
  /** The last open stream has ended. */
  readonly onIdle: () => void;
};

/** What the open frame says about a request. */
type OpenKind = Pick<Frame & { type: "open" }, "isDelivered" | "hasBody">;

export class TunnelEnd {
  readonly #options: TunnelEndOptions;
  readonly #streams = new Map<number, TunnelStream>();
  readonly #pool = new BytePool(windowPoolBytes);
  /** By stream, what its head takes until the agent accepts or refuses it. */
  readonly #pendingHeads = new Map<number, number>();
  #pendingHeadBytes = 0;
  /** The object: the next stream's number. The agent: one more than the highest so far. */
  #nextStream: number;
  #outbox: Frame[] = [];
  #outboxBytes = 0;
  #isFlushDue = false;
  #isClosed = false;

  constructor(options: TunnelEndOptions) {
    this.#options = options;
    this.#nextStream = options.firstStream;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** What has arrived and was not passed on, bytes; at most `maxHeldBytes`. */
  get heldBytes(): number {
    let bytes = 0;
    for (const stream of this.#streams.values()) bytes += stream.heldBytes;
    return bytes;
  }

  /** The number that the next stream gets. */
  get nextStream(): number {
    return this.#nextStream;
  }

  /**
   * Opens a stream for a request. Null if too many are open, or too much is on its way to the agent.
   *
   * @param kind `isDelivered`: true if the request may be delivered more than once, so that the gateway may
   *   get it before the object knows that the agent has it
   */
  open(head: Uint8Array, kind: OpenKind): TunnelStream | null {
    const headBytes = head.length + pendingHeadCost;
    const isFull =
      this.#streams.size >= maxTunnelStreams || this.#pendingHeadBytes + headBytes > maxPendingHeadBytes;
    if (this.#isClosed || isFull || this.#nextStream > maxStreamNumber) return null;
    const number = this.#nextStream++;
    this.#pendingHeads.set(number, headBytes);
    this.#pendingHeadBytes += headBytes;
    const window = new ReceiveWindow(this.#pool);
    const stream = this.#addStream(number, { window, credit: 0, ...kind });
    this.#send({ type: "open", stream: number, window: window.grantedBytes, head, ...kind });
    return stream;
  }

  /**
   * Takes a message of the socket.
   *
   * @throws TunnelViolation if the other end broke the protocol; all streams have ended then
   */
  receive(message: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      for (const frame of readFrames(message)) this.#receiveFrame(frame);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Ends all streams: the socket has closed or will be. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox = [];
    for (const stream of [...this.#streams.values()]) stream.lose();
  }

  #receiveFrame(frame: Frame): void {
    if (frame.type === "open") {
      this.#receiveOpen(frame);
      return;
    }
    if (frame.stream >= this.#nextStream)
      throw new TunnelViolation(`a frame of stream ${frame.stream}, which was not opened`);
    if (frame.type === "accepted" || frame.type === "reset") this.#forgetPendingHead(frame.stream);
    this.#streams.get(frame.stream)?.receive(frame);
  }

  #receiveOpen(frame: Frame & { type: "open" }): void {
    const { stream: number, window: credit, isDelivered, hasBody } = frame;
    if (this.#options.side === "object") throw new TunnelViolation("an open frame");
    if (number < this.#nextStream)
      throw new TunnelViolation(`an open frame for stream ${number}, which was opened before`);
    this.#nextStream = number + 1;
    if (this.#streams.size >= maxTunnelStreams) {
      this.#send({ type: "reset", stream: number, reason: "refused" });
      return;
    }
    const window = new ReceiveWindow(this.#pool);
    // The head is a part of the message, which a later delivery must not keep in memory.
    const head = isDelivered ? frame.head : frame.head.slice();
    const onDeliver = () => this.#options.onRequest(stream, head);
    const stream = this.#addStream(number, { window, credit, isDelivered, hasBody, onDeliver });
    this.#send({ type: "accepted", stream: number, window: window.grantedBytes });
    if (isDelivered) onDeliver();
  }

  #addStream(
    number: number,
    parts: OpenKind & {
      readonly window: ReceiveWindow;
      readonly credit: number;
      readonly onDeliver?: () => void;
    },
  ): TunnelStream {
    const stream = new TunnelStream(number, {
      onDeliver: () => {},
      ...parts,
      side: this.#options.side,
      send: (frame) => this.#send({ ...frame, stream: number } as Frame),
      onRelease: () => {
        this.#streams.delete(number);
        if (this.#streams.size === 0) this.#options.onIdle();
      },
    });
    this.#streams.set(number, stream);
    return stream;
  }

  /** Heads count until the agent has read them, also those of streams that were reset meanwhile. */
  #forgetPendingHead(stream: number): void {
    this.#pendingHeadBytes -= this.#pendingHeads.get(stream) ?? 0;
    this.#pendingHeads.delete(stream);
  }

  #send(frame: Frame): void {
    if (this.#isClosed) return;
    this.#outbox.push(frame);
    this.#outboxBytes += sizeOfFrame(frame);
    if (this.#outboxBytes >= maxDataBytes) this.#flush();
    else this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.defer(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    const frames = this.#outbox;
    if (frames.length === 0 || this.#isClosed) return;
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#options.send(writeFrames(frames));
  }
}
