// Forwards the counters of routers from the registry object to the telemetry object: collects the deltas of many
// routers for a short time, and sends them in one call. Does not read them.
//
// A call is a request to an object, of which Workers Free has 100,000 a day, and makes the telemetry object write a
// row. Every ten seconds that is 8,640 of each in a day of traffic. While the telemetry is watched it is one in a
// second, which is the pace of a page, for as long as it is open.

import { noticeMs } from "../src/telemetry/watch.ts";

/** Reply of the telemetry object to deltas: each is counted, or can never be. */
export type CountedAllReply = {
  /** True while a person or program looks at the telemetry: routers report again soon. */
  readonly isWatched: boolean;
};

/** The registry object, as the telemetry object calls it when a live read begins. */
export type WatchNotice = { telemetryWatched(): Promise<void> };

type CounterForwarderOptions = {
  /** Calls the telemetry object; rejects if nothing was counted. `waitedMs`: how long each delta waited here. */
  readonly send: (deltas: readonly string[], waitedMs: readonly number[]) => Promise<CountedAllReply>;
  readonly nowMs: () => number;
  /** The telemetry begins to be watched: routers that wait should report now. */
  readonly onWatched: () => void;
  /** True if calls cost nothing, as on a machine of yours: deltas are always collected as if watched. */
  readonly areCallsFree?: boolean;
};

/** For how long deltas are collected, milliseconds: while watched, and else. */
const watchedCollectMs = 1_000;
const unwatchedCollectMs = 10_000;
/** A call that takes longer is given up, milliseconds. Its deltas are sent again, and count once. */
const forwardTimeoutMs = 10_000;
/** A batch of this size is sent at once, bytes: to count it takes the telemetry object some 50 ms. */
const maxBatchBytes = 1_048_576;
/** Size of all deltas here, of the object's 128 MB, bytes; further ones are refused, and sent again. */
const maxForwardedBytes = 16_777_216;

type WaitingDelta = {
  readonly text: string;
  readonly bytes: number;
  readonly addedMs: number;
  readonly reply: (isCounted: boolean) => void;
};

/** @see docs/decisions/0119-telemetry-that-fits.md */
export class CounterForwarder {
  readonly #options: CounterForwarderOptions;
  #waiting: WaitingDelta[] = [];
  #waitingBytes = 0;
  #sentBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isSending = false;
  #watchedUntilMs = Number.NEGATIVE_INFINITY;
  /** How many notices there were, to recognize a reply that is older than the last one. */
  #notices = 0;

  constructor(options: CounterForwarderOptions) {
    this.#options = options;
  }

  /** True while the telemetry is watched, as far as is known here. */
  get isWatched(): boolean {
    const leftMs = this.#watchedUntilMs - this.#options.nowMs();
    return leftMs > 0 && leftMs <= noticeMs;
  }

  /** The telemetry object gives notice of a live read: deltas that wait here are sent now. */
  noteWatched(): void {
    this.#notices += 1;
    this.#setWatched(true);
    this.sendNow();
  }

  /**
   * Forwards one router's delta, as JSON. Does not reject.
   *
   * @returns true once it is counted, or can never be; false: its router sends it again under its number
   */
  add(text: string): Promise<boolean> {
    // A character of a delta is one byte, except in names outside of ASCII.
    const bytes = text.length;
    if (this.#waitingBytes + this.#sentBytes + bytes > maxForwardedBytes) return Promise.resolve(false);
    return new Promise((reply) => {
      this.#waiting.push({ text, bytes, addedMs: this.#options.nowMs(), reply });
      this.#waitingBytes += bytes;
      if (this.#waitingBytes >= maxBatchBytes) this.sendNow();
      else this.#sendLater();
    });
  }

  #sendLater(): void {
    const isSoon = this.isWatched || this.#options.areCallsFree === true;
    this.#timer ??= setTimeout(() => this.sendNow(), isSoon ? watchedCollectMs : unwatchedCollectMs);
  }

  /** Sends what was collected, unless a call is under way; then it follows. */
  sendNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // One call at a time; what is added meanwhile is the next one.
    if (this.#isSending || this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#sentBytes = this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    void this.#send(batch);
  }

  async #send(batch: readonly WaitingDelta[]): Promise<void> {
    this.#isSending = true;
    const notices = this.#notices;
    const nowMs = this.#options.nowMs();
    const waitedMs = batch.map(({ addedMs }) => Math.max(0, nowMs - addedMs));
    const deltas = batch.map(({ text }) => text);
    const sent = await settledWithin(forwardTimeoutMs, () => this.#options.send(deltas, waitedMs));
    this.#isSending = false;
    this.#sentBytes = 0;
    if (sent !== null && (sent.isWatched || notices === this.#notices)) this.#setWatched(sent.isWatched);
    for (const { reply } of batch) reply(sent !== null);
    if (this.#timer === undefined && this.#waiting.length > 0) this.sendNow();
  }

  #setWatched(isWatched: boolean): void {
    const begins = isWatched && !this.isWatched;
    this.#watchedUntilMs = isWatched ? this.#options.nowMs() + noticeMs : Number.NEGATIVE_INFINITY;
    if (begins) this.#options.onWatched();
  }
}

/** The result of `work`; null if it fails, which is logged, or takes longer. */
async function settledWithin<T>(timeoutMs: number, work: () => Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work(), timeout]);
  } catch (error) {
    console.error({ what: "counters could not be forwarded and will be sent again", error: String(error) });
    return null;
  } finally {
    clearTimeout(timer);
  }
}
