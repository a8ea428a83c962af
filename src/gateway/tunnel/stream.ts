// One stream of a tunnel: a request with its response, or a WebSocket. Its two users, the relay in the object
// and the agent, read and write it as they can; frames that its state does not allow are violations.

import {
  type DataKind,
  dataFrameCost,
  type Frame,
  maxDataBytes,
  plainData,
  type ResetReason,
  TunnelViolation,
} from "./frames.ts";
import type { ReceiveWindow } from "./windows.ts";

/** The agent responds to requests of the object. */
export type TunnelSide = "object" | "agent";

/** Why a stream failed: a reset of either side, or the end of the tunnel. */
export type StreamFailureReason = ResetReason | "lost";

/** A stream that ended before its end. */
export class StreamFailure extends Error {
  readonly reason: StreamFailureReason;

  constructor(reason: StreamFailureReason) {
    super(`the stream of the tunnel ended: ${reason}`);
    this.reason = reason;
  }
}

/** Bytes that arrived in one data frame. */
export type StreamData = { readonly bytes: Uint8Array; readonly kind: DataKind };

/** A frame without its stream's number. */
export type StreamFrame = Frame extends infer F ? (F extends Frame ? Omit<F, "stream"> : never) : never;

/** What a stream needs of its tunnel. */
type StreamPort = {
  readonly side: TunnelSide;
  /** Bytes that the stream may send before the other side has granted more. */
  readonly credit: number;
  /** True if the gateway may get the request at once. */
  readonly isDelivered: boolean;
  readonly hasBody: boolean;
  readonly window: ReceiveWindow;
  readonly send: (frame: StreamFrame) => void;
  /** Called when the gateway may get the request; not if it might from the begin. */
  readonly onDeliver: () => void;
  /** Called once, when the stream takes no further frames and holds no data. */
  readonly onRelease: () => void;
};

/** Largest credit, bytes. A sum above it is a violation. */
const maxCreditBytes = 0x7fff_ffff;

export class TunnelStream {
  readonly number: number;
  readonly #port: StreamPort;
  /** Resolves when the agent has the request; rejects with StreamFailure. The object's end only. */
  readonly accepted: Promise<void>;
  /** Resolves with the response's head; rejects with StreamFailure. The object's end only. */
  readonly head: Promise<Uint8Array>;
  readonly #accepting = Promise.withResolvers<void>();
  readonly #heading = Promise.withResolvers<Uint8Array>();
  #isAccepted = false;
  #hasHead = false;
  /** True once the agent may give the request to its gateway. */
  #isDelivered: boolean;
  #hasEnded = false;
  #otherHasEnded: boolean;
  /** True if the stream takes no further frames; its reader may still read. */
  #isClosed = false;
  #isReleased = false;
  #failure: StreamFailure | null = null;
  #credit: number;
  readonly #inbox: StreamData[] = [];
  /** Bytes of the last end frame of the other side. */
  #close: Uint8Array = new Uint8Array();
  /** Called when the state changes that a reader or a writer waits for. */
  readonly #readers: (() => void)[] = [];
  readonly #writers: (() => void)[] = [];
  readonly #failureListeners: ((failure: StreamFailure) => void)[] = [];

  constructor(number: number, port: StreamPort) {
    this.number = number;
    this.#port = port;
    this.#credit = port.credit;
    this.#isDelivered = port.isDelivered;
    this.#hasEnded = port.side === "object" && !port.hasBody;
    this.#otherHasEnded = port.side === "agent" && !port.hasBody;
    this.accepted = this.#accepting.promise;
    this.head = this.#heading.promise;
    // A failure that no user waits for is reported by the next read or write.
    this.accepted.catch(() => {});
    this.head.catch(() => {});
  }

  /** True if the gateway may have the request. Before that, the request was delivered to no task. */
  get isDelivered(): boolean {
    return this.#isDelivered;
  }

  /** True if the request has a body, or is a WebSocket's. */
  get hasBody(): boolean {
    return this.#port.hasBody;
  }

  /** True if the stream takes no further frames. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What has arrived and was not passed on, bytes. */
  get heldBytes(): number {
    return this.#port.window.heldBytes;
  }

  /** Why the stream failed; null if it did not. */
  get failure(): StreamFailure | null {
    return this.#failure;
  }

  /** The payload of the end frame: close code and reason of a WebSocket, or nothing. */
  get closePayload(): Uint8Array {
    return this.#close;
  }

  /** Calls `listener` when the stream fails, also if it has failed already. */
  onFailure(listener: (failure: StreamFailure) => void): void {
    if (this.#failure !== null) listener(this.#failure);
    else this.#failureListeners.push(listener);
  }

  /** Lets the agent give the request to its gateway. */
  deliver(): void {
    if (this.#isClosed || this.#isDelivered) return;
    this.#isDelivered = true;
    this.#port.send({ type: "deliver" });
  }

  /** Sends the response's head. */
  sendHead(head: Uint8Array): void {
    if (this.#isClosed) return;
    this.#hasHead = true;
    this.#port.send({ type: "head", head });
  }

  /**
   * Waits until data may be sent, and returns the largest number of bytes of a frame.
   *
   * @throws StreamFailure if the stream has ended
   */
  async writable(): Promise<number> {
    while (!this.#isClosed && this.#credit <= dataFrameCost)
      await new Promise<void>((wake) => this.#writers.push(wake));
    if (this.#isClosed || this.#hasEnded) throw this.#failure ?? new StreamFailure("done");
    return Math.min(maxDataBytes, this.#credit - dataFrameCost);
  }

  /** Sends data, at most as many bytes as `writable` returned. The bytes are copied when they are sent. */
  write(bytes: Uint8Array, kind: DataKind = plainData): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#credit -= bytes.length + dataFrameCost;
    this.#port.send({ type: "data", bytes, kind });
  }

  /** Sends the end. @param close close code and reason of a WebSocket */
  end(close: Uint8Array = new Uint8Array()): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#port.send({ type: "end", close });
    if (this.#port.side === "agent") this.#discardInbox();
    if (this.#otherHasEnded) this.#closeWith(null);
  }

  /** Ends the stream at once, on both sides. */
  reset(reason: ResetReason): void {
    if (this.#isClosed) {
      this.#discardInbox();
      return;
    }
    this.#port.send({ type: "reset", reason });
    this.#closeWith(new StreamFailure(reason));
  }

  /**
   * The next data; null at the end. The caller reports with `passOn` what it has passed on.
   *
   * @throws StreamFailure if the stream failed
   */
  async read(): Promise<StreamData | null> {
    while (this.#inbox.length === 0 && this.#failure === null && !this.#otherHasEnded)
      await new Promise<void>((wake) => this.#readers.push(wake));
    if (this.#failure !== null) throw this.#failure;
    return this.#inbox.shift() ?? null;
  }

  /** Reports that data was passed on: the other side may send as much again. */
  passOn({ bytes }: StreamData): void {
    const grant = this.#port.window.passOn(bytes.length + dataFrameCost);
    if (grant > 0 && !this.#isClosed && !this.#otherHasEnded)
      this.#port.send({ type: "window", window: grant });
    this.#releaseIfDone();
  }

  /**
   * Takes a frame of the other side; ignores it after the end, because it was on its way.
   *
   * @throws TunnelViolation if the stream's state does not allow it
   */
  receive(frame: StreamFrame): void {
    if (this.#isClosed) return;
    switch (frame.type) {
      case "accepted":
        this.#receiveAccepted(frame.window);
        break;
      case "head":
        this.#receiveHead(frame.head);
        break;
      case "deliver":
        this.#receiveDeliver();
        break;
      case "data":
        this.#receiveData(frame);
        break;
      case "end":
        this.#receiveEnd(frame.close);
        break;
      case "reset":
        this.#closeWith(new StreamFailure(frame.reason));
        break;
      case "window":
        this.#addCredit(frame.window);
        break;
      case "open":
        throw new TunnelViolation("an open frame for an open stream");
    }
  }

  /** Ends the stream because the tunnel has ended. */
  lose(): void {
    this.#closeWith(new StreamFailure("lost"));
  }

  #receiveAccepted(window: number): void {
    if (this.#port.side === "agent" || this.#isAccepted)
      throw new TunnelViolation("an accepted frame out of order");
    this.#isAccepted = true;
    this.#addCredit(window);
    this.#accepting.resolve();
  }

  #receiveHead(head: Uint8Array): void {
    const isDue = this.#port.side === "object" && this.#isAccepted && this.#isDelivered && !this.#hasHead;
    if (!isDue) throw new TunnelViolation("a response out of order");
    this.#hasHead = true;
    this.#heading.resolve(head);
  }

  #receiveDeliver(): void {
    if (this.#port.side === "object" || this.#isDelivered)
      throw new TunnelViolation("a deliver frame out of order");
    this.#isDelivered = true;
    this.#port.onDeliver();
  }

  #receiveData({ bytes, kind }: StreamData): void {
    const isDue = this.#port.side === "object" ? this.#hasHead : this.#isDelivered;
    if (!isDue || this.#otherHasEnded) throw new TunnelViolation("data out of order");
    if (!this.#port.window.receive(bytes.length + dataFrameCost))
      throw new TunnelViolation("data beyond the window");
    if (this.#hasEnded && this.#port.side === "agent") return;
    // A small part of a large message would keep all of it in memory.
    const isSmallPart = bytes.length * 2 < bytes.buffer.byteLength;
    this.#inbox.push({ bytes: isSmallPart ? bytes.slice() : bytes, kind });
    wakeAll(this.#readers);
  }

  #receiveEnd(close: Uint8Array): void {
    const isDue = this.#port.side === "object" ? this.#hasHead : this.#isDelivered;
    if (!isDue || this.#otherHasEnded) throw new TunnelViolation("an end out of order");
    this.#otherHasEnded = true;
    this.#close = close.slice();
    if (this.#port.side === "object" && !this.#hasEnded) this.#port.send({ type: "reset", reason: "done" });
    if (this.#port.side === "object" || this.#hasEnded) this.#closeWith(null);
    wakeAll(this.#readers);
  }

  #addCredit(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > maxCreditBytes) throw new TunnelViolation("a window that is too large");
    wakeAll(this.#writers);
  }

  /** Data that no user will read does not stay in memory. */
  #discardInbox(): void {
    for (const data of this.#inbox.splice(0)) this.#port.window.passOn(data.bytes.length + dataFrameCost);
    this.#releaseIfDone();
  }

  /** A stream counts while it holds data, also after its last frame. */
  #releaseIfDone(): void {
    if (this.#isReleased || !this.#isClosed || this.#inbox.length > 0) return;
    this.#isReleased = true;
    this.#port.window.close();
    this.#port.onRelease();
  }

  #closeWith(failure: StreamFailure | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = failure;
    if (failure !== null) {
      this.#discardInbox();
      this.#accepting.reject(failure);
      this.#heading.reject(failure);
    }
    this.#releaseIfDone();
    wakeAll(this.#readers);
    wakeAll(this.#writers);
    if (failure !== null) for (const listener of this.#failureListeners.splice(0)) listener(failure);
  }
}

function wakeAll(waiters: (() => void)[]): void {
  for (const wake of waiters.splice(0)) wake();
}
