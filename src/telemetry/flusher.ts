// The flusher of TCP connections: sends a meter's deltas in the background, in a call of their own. It sends a
// failed delta again under its number until the telemetry object acknowledges it, so nothing is lost or counted
// twice. The counters of requests go with the router's calls (src/proxy/link/registry-link.ts).

import type { Delta } from "./delta.ts";
import type { Meter } from "./meter.ts";
import { PendingDelta } from "./pending-delta.ts";

/** From the first request in a delta until the delta is sent, milliseconds. */
export const flushIntervalMs = 2_000;
/** A flush scheduled this long ago is lost: the platform stopped the request that ran it. Milliseconds. */
const lostFlushMs = 15_000;
/** Tries in a row; after these the next request schedules a flush. */
const maxFlushTries = 3;

export type FlusherOptions = {
  /** Resolves once the delta is counted, or can never be; rejects if it should be sent again. */
  readonly send: (delta: Delta) => Promise<unknown>;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

/** @see docs/decisions/0033-counting-in-the-isolate.md */
export class Flusher {
  readonly #options: FlusherOptions;
  readonly #pending: PendingDelta;
  #scheduledMs: number | null = null;

  constructor(meter: Meter, options: FlusherOptions) {
    this.#pending = new PendingDelta(meter);
    this.#options = options;
  }

  /** Schedules a flush, unless one is scheduled. */
  schedule(nowMs: number, waitUntil: (work: Promise<void>) => void): void {
    if (this.#scheduledMs !== null && Math.abs(nowMs - this.#scheduledMs) < lostFlushMs) return;
    this.#scheduledMs = nowMs;
    waitUntil(this.#flushLater());
  }

  /** Sends now. False if the delta has to be sent again. */
  async flush(): Promise<boolean> {
    const isRetry = this.#pending.isSent;
    if (!(await this.#sendPending())) return false;
    return isRetry ? this.#sendPending() : true;
  }

  async #flushLater(): Promise<void> {
    for (let tries = 0; tries < maxFlushTries; tries += 1) {
      await this.#options.sleep(flushIntervalMs);
      // Requests from here on schedule the next flush: they may be too late for this one.
      this.#scheduledMs = null;
      if (await this.flush()) return;
      // A flush that was scheduled meanwhile continues the tries.
      if (this.#scheduledMs !== null) return;
      this.#scheduledMs = this.#options.nowMs();
    }
    this.#scheduledMs = null;
  }

  async #sendPending(): Promise<boolean> {
    const delta = this.#pending.take(this.#options.nowMs());
    if (delta === null) return true;
    try {
      await this.#options.send(delta);
    } catch {
      return false;
    }
    this.#pending.acknowledge(delta);
    return true;
  }
}
