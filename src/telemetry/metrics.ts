// Metrics: what one isolate measures of one key, a task or a service at a node's entry point, and its written form.

import { counterCount } from "./counters.ts";
import { newBuckets, recordLatency } from "./histogram.ts";

export class MetricSet {
  readonly tally: Tally = newTally();
  /** Requests that wait for an answer. */
  readonly open = new Gauge();
  /** Requests that wait in line. */
  readonly queue = new Gauge();
  /** What was waiting when it was last taken. */
  #reportedOpen = 0;
  #reportedQueue = 0;

  add(counter: number, by = 1): void {
    const { counts } = this.tally;
    counts[counter] = (counts[counter] ?? 0) + by;
  }

  /** Counts a latency. */
  observeLatency(ms: number): void {
    recordLatency(this.tally.buckets, ms);
  }

  rotate(): void {
    this.open.rotate();
    this.queue.rotate();
  }

  /** What was counted since it was last taken; null when that is nothing. */
  take(): (SparseTally & GaugeReport) | null {
    const { tally, open, queue } = this;
    const written = toSparseTally(tally);
    const waits = open.value !== this.#reportedOpen || queue.value !== this.#reportedQueue;
    if (!waits && written.counts.length === 0 && written.buckets.length === 0) return null;
    const taken = {
      ...written,
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
    return taken;
  }
}

// A level: how many there are now of what comes and goes, and how many there were at most.
export class Gauge {
  /** Those that came in the present turn, and in the one before. */
  #current = 0;
  #previous = 0;
  #max = 0;

  get value(): number {
    return this.#current + this.#previous;
  }

  get max(): number {
    return this.#max;
  }

  /** Takes in that one came. */
  increment(): void {
    this.#current += 1;
    if (this.value > this.#max) this.#max = this.value;
  }

  /** Takes in that one went. @param turnsAgo how many turns ago it came */
  decrement(turnsAgo: number): void {
    if (turnsAgo === 0) this.#current -= 1;
    else if (turnsAgo === 1) this.#previous -= 1;
  }

  /**
   * What came before the turn that ended has gone, whether anybody said so or not: the platform stops a request in its
   * tracks when its client goes away.
   */
  rotate(): void {
    this.#previous = this.#current;
    this.#current = 0;
  }

  /** From here on the most is told anew. */
  resetMax(): void {
    this.#max = this.value;
  }
}

/** How many wait now, and how many did at most since the last delta. */
export type GaugeReport = {
  /** Requests sent on whose answer has not begun. */
  readonly open: number;
  readonly openMax: number;
  /** Requests held back until a task may take them. */
  readonly queue: number;
  readonly queueMax: number;
};

export type Tally = { readonly counts: Float64Array; readonly buckets: Float64Array };

/** A tally as it is sent and kept. */
export type SparseTally = { readonly counts: SparseArray; readonly buckets: SparseArray };

export function newTally(): Tally {
  return { counts: new Float64Array(counterCount), buckets: newBuckets() };
}

export function toSparseTally({ counts, buckets }: Tally): SparseTally {
  return { counts: toSparse(counts), buckets: toSparse(buckets) };
}

/** Adds a written tally to one. */
export function addTally(to: Tally, { counts, buckets }: SparseTally): void {
  addSparse(to.counts, counts);
  addSparse(to.buckets, buckets);
}

export type SparseArray = readonly number[];

export function toSparse(values: ArrayLike<number>): SparseArray {
  const pairs: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? 0;
    if (value !== 0) pairs.push(index, value);
  }
  return pairs;
}

/** Adds what was written to an array; indexes it does not have are left out. */
export function addSparse(to: Float64Array, pairs: SparseArray): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const index = pairs[at] ?? -1;
    const value = to[index];
    if (value !== undefined) to[index] = value + (pairs[at + 1] ?? 0);
  }
}
