// Times to the response headers of a service's recent requests in this isolate. They set the hedging delay.

import { bucketIndex, newBuckets, percentileUpperBound } from "../../telemetry/histogram.ts";

/** The length of a window; the previous window still counts. Milliseconds. */
const windowMs = 10_000;
/** Responses between two estimates, and before the first one. */
const responsesPerEstimate = 20;

/** The minimum, milliseconds: a shorter delay would double the load of a fast service for no gain. */
export const minHedgeMs = 50;
/** The hedging delay before there are enough samples, milliseconds. */
export const unknownHedgeMs = 100;

export class ServiceLatency {
  /** The current window. */
  readonly #current = newBuckets();
  /** The current window and the previous one. */
  readonly #recent = newBuckets();
  #startedMs = Number.NEGATIVE_INFINITY;
  /** How long to wait for one target before a second one is tried: about the service's p95, milliseconds. */
  hedgeAfterMs = unknownHedgeMs;
  #untilEstimate = responsesPerEstimate;

  /** Counts one response whose headers arrived `elapsedMs` after the request was sent. */
  record(elapsedMs: number, nowMs: number): void {
    if (nowMs - this.#startedMs >= windowMs) this.#rotate(nowMs);
    const bucket = bucketIndex(elapsedMs);
    this.#current[bucket] = (this.#current[bucket] ?? 0) + 1;
    this.#recent[bucket] = (this.#recent[bucket] ?? 0) + 1;
    this.#untilEstimate -= 1;
    if (this.#untilEstimate > 0) return;
    this.hedgeAfterMs = Math.max(minHedgeMs, this.percentile(0.95));
    this.#untilEstimate = responsesPerEstimate;
  }

  /** The percentile of recent responses in milliseconds, at most 19 % too high; 0 without any. */
  percentile(share: number): number {
    return percentileUpperBound(this.#recent, share);
  }

  #rotate(nowMs: number): void {
    const isPreviousRecent = nowMs - this.#startedMs < 2 * windowMs;
    if (isPreviousRecent) this.#recent.set(this.#current);
    else this.#recent.fill(0);
    this.#current.fill(0);
    this.#startedMs = nowMs;
  }
}
