// Steps: a stretch of time cut into equal steps, and what was counted in each; the newest is still being counted.

import { addBuckets, newBuckets, percentile } from "./histogram.ts";
import { addSparse, type SparseArray, toSparse } from "./metrics.ts";

/** Steps kept, the newest included. */
export const binCount = 60;

export type Bin = {
  /** Which one since the epoch. */
  readonly number: number;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Null where they are not kept. */
  readonly buckets: SparseArray | null;
};

/** Numbers kept of a step that has ended, besides which one it is. */
const fieldsPerBin = 5;
const emptyBin = -1;

export class TimeSeries {
  readonly stepMs: number;
  readonly hasHistograms: boolean;
  /** Which steps have ended, by number modulo `stepCount`, and `width` numbers of each: 1.4 KB, an object each ten times. */
  readonly #closedNumbers = new Int32Array(binCount).fill(emptyBin);
  readonly #closedFields = new Float32Array(binCount * fieldsPerBin);
  readonly #closedBuckets: (SparseArray | undefined)[] = [];
  #number = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #failed = 0;
  readonly #currentBuckets = newBuckets();

  /** @param keepsBuckets the histogram of each step is kept, not only its percentiles */
  constructor(stepMs: number, keepsBuckets: boolean) {
    this.stepMs = stepMs;
    this.hasHistograms = keepsBuckets;
  }

  /** Counts what came now. A clock that went back a little counts on in the newest step; one that went far starts anew. */
  add(nowMs: number, requests: number, failed: number, buckets: ArrayLike<number>): void {
    this.#advanceTo(nowMs);
    this.#requests += requests;
    this.#failed += failed;
    addBuckets(this.#currentBuckets, buckets);
  }

  /** Requests a second now: over the newest step, and as much of the one before it as makes a whole step. */
  rate(nowMs: number): number {
    const number = Math.floor(nowMs / this.stepMs);
    const share = 1 - (nowMs % this.stepMs) / this.stepMs;
    const requests = this.#requestsOf(number) + share * this.#requestsOf(number - 1);
    return (requests * 1_000) / this.stepMs;
  }

  /** The step of this number; null when nothing was counted in it, or it is too old. */
  binAt(number: number): Bin | null {
    if (number !== this.#number) return this.#closedBin(number);
    return this.#requests > 0 ? this.#currentBin() : null;
  }

  /** Steps with anything in them, oldest first. */
  bins(): readonly Bin[] {
    const steps: Bin[] = [];
    for (let number = this.#number - binCount + 1; number < this.#number; number += 1) {
      const step = this.#closedBin(number);
      if (step !== null) steps.push(step);
    }
    if (this.#requests > 0) steps.push(this.#currentBin());
    return steps;
  }

  /** Takes in steps as `list` gave them; `newest` are the buckets of the last one. */
  restore(steps: readonly Bin[], newest: SparseArray): void {
    for (const step of steps) this.#store(step);
    const last = steps.at(-1);
    if (last === undefined) return;
    this.#number = last.number;
    this.#requests = last.requests;
    this.#failed = last.failed;
    addSparse(this.#currentBuckets, newest);
  }

  /** Buckets of the step that is still being counted. */
  currentBuckets(): SparseArray {
    return toSparse(this.#currentBuckets);
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
    const kept = this.#closedFields.subarray(slot * fieldsPerBin, (slot + 1) * fieldsPerBin);
    const [requests = 0, failed = 0, ...percentiles] = kept;
    const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = percentiles.map(rounded);
    const buckets = this.hasHistograms ? (this.#closedBuckets[slot] ?? []) : null;
    return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets };
  }

  #requestsOf(number: number): number {
    return number === this.#number ? this.#requests : (this.#closedBin(number)?.requests ?? 0);
  }
}

/** To a hundredth: it is written often, and true to 19 % at best. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
