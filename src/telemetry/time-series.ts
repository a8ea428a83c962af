// A time series: traffic in bins of equal length, of which the last one is still open.

import { clockToleranceMs } from "../domain/model/clock-tolerance.ts";
import { addBuckets, newBuckets, percentile } from "./histogram.ts";
import { addSparse, type SparseArray, toSparse } from "./metrics.ts";

/** Bins kept, including the open one. */
export const binCount = 60;

export type Bin = {
  /** The number of the bin since the epoch. */
  readonly number: number;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** The histogram; null if the series keeps percentiles only. */
  readonly buckets: SparseArray | null;
};

/** Numbers stored for a closed bin, besides its own number. */
const fieldsPerBin = 5;
const emptyBin = -1;

export class TimeSeries {
  readonly stepMs: number;
  readonly hasHistograms: boolean;
  /** Closed bins by number modulo `binCount`. Takes 1.4 KB; an object for each bin takes ten times that. */
  readonly #closedNumbers = new Int32Array(binCount).fill(emptyBin);
  readonly #closedFields = new Float32Array(binCount * fieldsPerBin);
  readonly #closedBuckets: (SparseArray | undefined)[] = [];
  #number = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #failed = 0;
  readonly #currentBuckets = newBuckets();

  /** @param hasHistograms true to keep the histogram of each bin, not only its percentiles */
  constructor(stepMs: number, hasHistograms: boolean) {
    this.stepMs = stepMs;
    this.hasHistograms = hasHistograms;
  }

  /**
   * Counts traffic now. If the clock jumped back a little, it counts into the open bin; if by more than the
   * series is long, the series starts over.
   */
  add(nowMs: number, requests: number, failed: number, buckets: ArrayLike<number>): void {
    this.#advanceTo(nowMs);
    this.#requests += requests;
    this.#failed += failed;
    addBuckets(this.#currentBuckets, buckets);
  }

  /**
   * Requests per second over the length of one bin until now, from the open bin and part of the previous one.
   */
  rate(nowMs: number): number {
    const number = Math.floor(nowMs / this.stepMs);
    const share = 1 - (nowMs % this.stepMs) / this.stepMs;
    const requests = this.#requestsOf(number) + share * this.#requestsOf(number - 1);
    return (requests * 1_000) / this.stepMs;
  }

  /** The bin with this number; null if it is empty or too old. */
  binAt(number: number): Bin | null {
    if (number !== this.#number) return this.#closedBin(number);
    return this.#requests > 0 ? this.#currentBin() : null;
  }

  /** The bins that are not empty, oldest first. */
  bins(): readonly Bin[] {
    const bins: Bin[] = [];
    for (let number = this.#number - binCount + 1; number < this.#number; number += 1) {
      const bin = this.#closedBin(number);
      if (bin !== null) bins.push(bin);
    }
    if (this.#requests > 0) bins.push(this.#currentBin());
    return bins;
  }

  /** Restores what `bins()` and `currentBuckets()` returned. */
  restore(bins: readonly Bin[], currentBuckets: SparseArray): void {
    for (const bin of bins) this.#store(bin);
    const last = bins.at(-1);
    if (last === undefined) return;
    this.#number = last.number;
    this.#requests = last.requests;
    this.#failed = last.failed;
    addSparse(this.#currentBuckets, currentBuckets);
  }

  /** The histogram of the open bin. */
  currentBuckets(): SparseArray {
    return toSparse(this.#currentBuckets);
  }

  /** Moves all bins back, so that none lies ahead of now. @returns true if they were moved */
  followClock(nowMs: number): boolean {
    if (this.#number * this.stepMs <= nowMs + clockToleranceMs) return false;
    const back = this.#number - Math.floor(nowMs / this.stepMs);
    const closed = this.bins().filter(({ number }) => number < this.#number);
    this.#closedNumbers.fill(emptyBin);
    for (const bin of closed) this.#store({ ...bin, number: bin.number - back });
    this.#number -= back;
    return true;
  }

  #advanceTo(nowMs: number): void {
    const number = Math.floor(nowMs / this.stepMs);
    if (number <= this.#number && this.#number - number < binCount) return;
    if (number < this.#number) this.#closedNumbers.fill(emptyBin);
    else if (this.#requests > 0) this.#store(this.#currentBin());
    this.#number = number;
    this.#requests = 0;
    this.#failed = 0;
    this.#currentBuckets.fill(0);
  }

  #currentBin(): Bin {
    return {
      number: this.#number,
      requests: this.#requests,
      failed: this.#failed,
      p50Ms: rounded(percentile(this.#currentBuckets, 0.5)),
      p95Ms: rounded(percentile(this.#currentBuckets, 0.95)),
      p99Ms: rounded(percentile(this.#currentBuckets, 0.99)),
      buckets: this.hasHistograms ? toSparse(this.#currentBuckets) : null,
    };
  }

  #store({ number, requests, failed, p50Ms, p95Ms, p99Ms, buckets }: Bin): void {
    const slot = number % binCount;
    this.#closedNumbers[slot] = number;
    this.#closedFields.set([requests, failed, p50Ms, p95Ms, p99Ms], slot * fieldsPerBin);
    if (this.hasHistograms) this.#closedBuckets[slot] = buckets ?? [];
  }

  #closedBin(number: number): Bin | null {
    const slot = ((number % binCount) + binCount) % binCount;
    if (this.#closedNumbers[slot] !== number) return null;
    const fields = this.#closedFields.subarray(slot * fieldsPerBin, (slot + 1) * fieldsPerBin);
    const [requests = 0, failed = 0, ...percentiles] = fields;
    const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = percentiles.map(rounded);
    const buckets = this.hasHistograms ? (this.#closedBuckets[slot] ?? []) : null;
    return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets };
  }

  #requestsOf(number: number): number {
    return number === this.#number ? this.#requests : (this.#closedBin(number)?.requests ?? 0);
  }
}

/** Rounds to a hundredth: the value is exact to 19 % at best, and short in JSON. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
