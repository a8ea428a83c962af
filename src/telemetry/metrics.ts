// Metrics: what one isolate measures of a task, or of a service at an entry point, and its written form.

import { counterCount } from "./counters.ts";
import { newBuckets } from "./histogram.ts";

/** The counters, gauges and latency histogram of one key. */
export class MetricSet {
  readonly tally: Tally = newTally();
  /** Requests waiting for response headers. */
  readonly open = new Gauge();
  /** Requests in the queue. */
  readonly queue = new Gauge();
  /** The gauge values of the last report. */
  #reportedOpen = 0;
  #reportedQueue = 0;

  add(counter: number, by = 1): void {
    const { counts } = this.tally;
    counts[counter] = (counts[counter] ?? 0) + by;
  }

  rotate(): void {
    this.open.rotate();
    this.queue.rotate();
  }

  /**
   * The measurements since the last call; null without measurements. Waiting requests are reported each time:
   * the telemetry object forgets an isolate that is silent.
   */
  take(): (SparseTally & GaugeReport) | null {
    const { tally, open, queue } = this;
    const sparse = toSparseTally(tally);
    const hasGauges = open.value + queue.value + this.#reportedOpen + this.#reportedQueue > 0;
    if (!hasGauges && sparse.counts.length === 0 && sparse.buckets.length === 0) return null;
    const report = {
      ...sparse,
      open: open.value,
      openMax: open.max,
      queue: queue.value,
      queueMax: queue.max,
    };
    tally.counts.fill(0);
    tally.buckets.fill(0);
    open.resetMax();
    queue.resetMax();
    this.#reportedOpen = open.value;
    this.#reportedQueue = queue.value;
    return report;
  }
}

/**
 * A gauge with its maximum. It expires increments by generation (see `Meter.generation`): the platform may
 * stop a request whose client disconnects before the matching decrement runs. A request that waits for longer
 * renews its increment.
 */
class Gauge {
  /** Increments of the current generation, and of the previous one. */
  #current = 0;
  #previous = 0;
  #max = 0;

  get value(): number {
    return this.#current + this.#previous;
  }

  get max(): number {
    return this.#max;
  }

  increment(): void {
    this.#current += 1;
    this.#max = Math.max(this.#max, this.#current + this.#previous);
  }

  /** @param generationsAgo how many generations ago the increment was; an expired one is not subtracted */
  decrement(generationsAgo: number): void {
    if (generationsAgo === 0) this.#current -= 1;
    else if (generationsAgo === 1) this.#previous -= 1;
  }

  /** Counts an increment of an earlier generation, perhaps an expired one, in the current generation. */
  renew(generationsAgo: number): void {
    this.decrement(generationsAgo);
    this.increment();
  }

  /** Starts a new generation, and expires the older one of the two. */
  rotate(): void {
    this.#previous = this.#current;
    this.#current = 0;
  }

  /** Resets the maximum to the current value. */
  resetMax(): void {
    this.#max = this.value;
  }
}

/** Gauge values of one key now, and their maxima since the last delta. */
export type GaugeReport = {
  /** Requests waiting for response headers. */
  readonly open: number;
  readonly openMax: number;
  /** Requests in the queue. */
  readonly queue: number;
  readonly queueMax: number;
};

/** Counts by `counterIndex`, and a latency histogram. */
export type Tally = { readonly counts: Float64Array; readonly buckets: Float64Array };

/** A tally as it is sent and stored. */
export type SparseTally = { readonly counts: SparseArray; readonly buckets: SparseArray };

export function newTally(): Tally {
  return { counts: new Float64Array(counterCount), buckets: newBuckets() };
}

export function toSparseTally({ counts, buckets }: Tally): SparseTally {
  return { counts: toSparse(counts), buckets: toSparse(buckets) };
}

export function addTally(to: Tally, { counts, buckets }: SparseTally): void {
  addSparse(to.counts, counts);
  addSparse(to.buckets, buckets);
}

/** The values of a mostly empty array that are not 0, as index, value, index, value. */
export type SparseArray = readonly number[];

export function toSparse(values: ArrayLike<number>): SparseArray {
  const pairs: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? 0;
    if (value !== 0) pairs.push(index, value);
  }
  return pairs;
}

/** Adds a sparse array to a dense one. Skips indexes that the dense one does not have. */
export function addSparse(to: Float64Array, pairs: SparseArray): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const index = pairs[at] ?? -1;
    const value = to[index];
    if (value !== undefined) to[index] = value + (pairs[at + 1] ?? 0);
  }
}
