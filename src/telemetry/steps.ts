// Steps: a stretch of time cut into equal steps, and what was counted in each; the newest is still being counted.

import { addBuckets, bucketCount, percentile } from "./histogram.ts";
import { addSparse, type Sparse, toSparse } from "./sparse.ts";

/** Steps kept, the newest included. */
export const stepCount = 60;

export type Step = {
  /** Which one since the epoch. */
  readonly number: number;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Null where they are not kept. */
  readonly buckets: Sparse | null;
};

/** Numbers kept of a step that has ended, besides which one it is. */
const width = 5;
const empty = -1;

export class Steps {
  readonly stepMs: number;
  readonly keepsBuckets: boolean;
  /** Which steps have ended, by number modulo `stepCount`, and `width` numbers of each: 1.4 KB, an object each ten times. */
  readonly #numbers = new Int32Array(stepCount).fill(empty);
  readonly #ended = new Float32Array(stepCount * width);
  readonly #buckets: (Sparse | undefined)[] = [];
  #number = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #failed = 0;
  readonly #newest = new Float64Array(bucketCount);

  /** @param keepsBuckets the histogram of each step is kept, not only its percentiles */
  constructor(stepMs: number, keepsBuckets: boolean) {
    this.stepMs = stepMs;
    this.keepsBuckets = keepsBuckets;
  }

  /** Counts what came now. A clock that went back a little counts on in the newest step; one that went far starts anew. */
  add(nowMs: number, requests: number, failed: number, buckets: ArrayLike<number>): void {
    this.#moveTo(nowMs);
    this.#requests += requests;
    this.#failed += failed;
    addBuckets(this.#newest, buckets);
  }

  /** Requests a second now: over the newest step, and as much of the one before it as makes a whole step. */
  rate(nowMs: number): number {
    const number = Math.floor(nowMs / this.stepMs);
    const share = 1 - (nowMs % this.stepMs) / this.stepMs;
    const requests = this.#requestsOf(number) + share * this.#requestsOf(number - 1);
    return (requests * 1_000) / this.stepMs;
  }

  /** The step of this number; null when nothing was counted in it, or it is too old. */
  at(number: number): Step | null {
    if (number !== this.#number) return this.#endedStep(number);
    return this.#requests > 0 ? this.#newestStep() : null;
  }

  /** Steps with anything in them, oldest first. */
  list(): readonly Step[] {
    const steps: Step[] = [];
    for (let number = this.#number - stepCount + 1; number < this.#number; number += 1) {
      const step = this.#endedStep(number);
      if (step !== null) steps.push(step);
    }
    if (this.#requests > 0) steps.push(this.#newestStep());
    return steps;
  }

  /** Takes in steps as `list` gave them; `newest` are the buckets of the last one. */
  restore(steps: readonly Step[], newest: Sparse): void {
    for (const step of steps) this.#keep(step);
    const last = steps.at(-1);
    if (last === undefined) return;
    this.#number = last.number;
    this.#requests = last.requests;
    this.#failed = last.failed;
    addSparse(this.#newest, newest);
  }

  /** Buckets of the step that is still being counted. */
  newestBuckets(): Sparse {
    return toSparse(this.#newest);
  }

  #moveTo(nowMs: number): void {
    const number = Math.floor(nowMs / this.stepMs);
    if (number <= this.#number && this.#number - number < stepCount) return;
    if (number < this.#number) this.#numbers.fill(empty);
    else if (this.#requests > 0) this.#keep(this.#newestStep());
    this.#number = number;
    this.#requests = 0;
    this.#failed = 0;
    this.#newest.fill(0);
  }

  #newestStep(): Step {
    return {
      number: this.#number,
      requests: this.#requests,
      failed: this.#failed,
      p50Ms: rounded(percentile(this.#newest, 0.5)),
      p95Ms: rounded(percentile(this.#newest, 0.95)),
      p99Ms: rounded(percentile(this.#newest, 0.99)),
      buckets: this.keepsBuckets ? toSparse(this.#newest) : null,
    };
  }

  #keep({ number, requests, failed, p50Ms, p95Ms, p99Ms, buckets }: Step): void {
    const slot = number % stepCount;
    this.#numbers[slot] = number;
    this.#ended.set([requests, failed, p50Ms, p95Ms, p99Ms], slot * width);
    if (this.keepsBuckets) this.#buckets[slot] = buckets ?? [];
  }

  #endedStep(number: number): Step | null {
    const slot = ((number % stepCount) + stepCount) % stepCount;
    if (this.#numbers[slot] !== number) return null;
    const kept = this.#ended.subarray(slot * width, (slot + 1) * width);
    const [requests = 0, failed = 0, ...percentiles] = kept;
    const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = percentiles.map(rounded);
    const buckets = this.keepsBuckets ? (this.#buckets[slot] ?? []) : null;
    return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets };
  }

  #requestsOf(number: number): number {
    return number === this.#number ? this.#requests : (this.#endedStep(number)?.requests ?? 0);
  }
}

/** To a hundredth: it is written often, and true to 19 % at best. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
