// The flusher: sends what the meter counted, behind the requests' backs. Whatever fails is sent again under its number
// until it is acknowledged, so that nothing is lost or counted twice; meanwhile the meter counts on.

import type { Delta } from "./delta.ts";
import type { Meter } from "./meter.ts";

/** What was counted is sent this long after the first request that is in it, milliseconds. */
export const flushIntervalMs = 2_000;
/** A flush that was planned so long ago has come to nothing: its request was stopped. Milliseconds. */
const lostFlushMs = 15_000;
/** Tries in a row; then the next request tries on. */
const maxFlushTries = 3;

export type FlusherOptions = {
  /** Resolves once the delta was taken in, or can never be; rejects when it should be sent again. */
  readonly send: (delta: Delta) => Promise<unknown>;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

export class Flusher {
  readonly #meter: Meter;
  readonly #options: FlusherOptions;
  #scheduledMs: number | null = null;
  /** Sent, and not acknowledged. */
  #pending: Delta | null = null;

  constructor(meter: Meter, options: FlusherOptions) {
    this.#meter = meter;
    this.#options = options;
  }

  /** Something was counted: plans a flush unless one is planned. */
  schedule(nowMs: number, waitUntil: (work: Promise<void>) => void): void {
    if (this.#scheduledMs !== null && Math.abs(nowMs - this.#scheduledMs) < lostFlushMs) return;
    this.#scheduledMs = nowMs;
    waitUntil(this.#flushLater());
  }

  /** Sends what was counted now. False when it could not be sent, and has to be sent again. */
  async flush(): Promise<boolean> {
    const isRetry = this.#pending !== null;
    if (!(await this.#sendPending())) return false;
    return isRetry ? this.#sendPending() : true;
  }

  async #flushLater(): Promise<void> {
    for (let tries = 0; tries < maxFlushTries; tries += 1) {
      await this.#options.sleep(flushIntervalMs);
      // From here on what is counted plans the next one: it may be too late for this one.
      this.#scheduledMs = null;
      if (await this.flush()) return;
      // One that was planned meanwhile tries on.
      if (this.#scheduledMs !== null) return;
      this.#scheduledMs = this.#options.nowMs();
    }
    this.#scheduledMs = null;
  }

  async #sendPending(): Promise<boolean> {
    this.#pending ??= this.#meter.take(this.#options.nowMs());
    const delta = this.#pending;
    if (delta === null) return true;
    try {
      await this.#options.send(delta);
    } catch {
      return false;
    }
    if (this.#pending === delta) this.#pending = null;
    return true;
  }
}
