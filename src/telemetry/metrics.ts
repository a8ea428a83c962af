// Metrics: what one isolate measures of a task, or of a service at an entry point, and its written form.

import { type CountedKind, counterCount, failedCount, seriesCount } from "./counters.ts";
import { newBuckets } from "./histogram.ts";

/** The counters, gauges and latency histogram of one key. */
export class MetricSet {
  readonly tally: Tally = newTally();
  /** Requests waiting for response headers. */
  readonly open = new Gauge();
  /** Requests in the queue. */
  readonly queue = new Gauge();
  readonly #kind: CountedKind;
  /** The gauge values of the last report. */
  #reportedOpen = 0;
  #reportedQueue = 0;
  /** For each slice that ended since the last report: count and failed count up to its end. */
  readonly #sliceEnds: number[] = [];

  constructor(kind: CountedKind) {
    this.#kind = kind;
  }

  add(counter: number, by = 1): void {
    const { counts } = this.tally;
    counts[counter] = (counts[counter] ?? 0) + by;
  }

  rotate(): void {
    this.open.rotate();
    this.queue.rotate();
  }

  /** A slice of time ends. @param ended how many have ended with it; this set may be newer than some */
  endSlice(ended: number): void {
    while (this.#sliceEnds.length < 2 * (ended - 1)) this.#sliceEnds.push(0);
    this.#sliceEnds.push(...this.#sums());
  }

  /**
   * The measurements since the last call; null without measurements. Waiting requests are reported each time:
   * the telemetry object forgets an isolate that is silent.
   */
  take(): MetricReport | null {
    const { tally, open, queue } = this;
    const slices = this.#takeSlices();
    const sparse = toSparseTally(tally);
    const hasGauges = open.value + queue.value + this.#reportedOpen + this.#reportedQueue > 0;
    if (!hasGauges && sparse.counts.length === 0 && sparse.buckets.length === 0) return null;
    const report = {
      ...sparse,
      open: open.value,
      openMax: open.max,
      queue: queue.value,
      queueMax: queue.max,
      ...(slices !== null && { slices }),
    };
    tally.counts.fill(0);
    tally.buckets.fill(0);
    open.resetMax();
    queue.resetMax();
    this.#reportedOpen = open.value;
    this.#reportedQueue = queue.value;
    return report;
  }

  /** See MetricReport; null if no slice has ended. */
  #takeSlices(): readonly number[] | null {
    const ends = this.#sliceEnds.splice(0);
    if (ends.length === 0) return null;
    ends.push(...this.#sums());
    return ends.map((sum, at) => sum - (ends[at - 2] ?? 0));
  }

  #sums(): readonly [count: number, failed: number] {
    const { counts } = this.tally;
    return [seriesCount(counts, this.#kind), failedCount(counts, this.#kind)];
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
type GaugeReport = {
  /** Requests waiting for response headers. */
  readonly open: number;
  readonly openMax: number;
  /** Requests in the queue. */
  readonly queue: number;
  readonly queueMax: number;
};

/** What one isolate measured of one key since its previous delta. */
export type MetricReport = SparseTally &
  GaugeReport & {
    /**
     * For each slice of the delta's times, how many requests ended in it, and how many of them failed; for a task,
     * attempts. Absent if there is one slice only.
     */
    readonly slices?: readonly number[];
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
