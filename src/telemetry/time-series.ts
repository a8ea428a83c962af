// A time series: traffic in bins of equal length, by when requests ended.
//
// Reports arrive late, so every bin that is kept may still grow. The newest bins have a histogram, to which late
// latencies are added; when a bin becomes older, its percentiles are kept instead, unless all bins have histograms.
// The memory of a series is fixed, whatever it counts.

import { clockToleranceMs } from "../domain/model/clock-tolerance.ts";
import { histogramBucketCount, percentile } from "./histogram.ts";
import { type SparseArray, toSparse } from "./metrics.ts";

/** Bins that a series keeps, including the newest. */
export const binCount = 60;

export type Bin = {
  /** The number of the bin since the epoch. */
  readonly number: number;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** The histogram; null if only the percentiles are kept. */
  readonly buckets: SparseArray | null;
};

/** How many bins a series keeps, and how many of the newest have a histogram. */
export type SeriesSize = { readonly bins: number; readonly histograms: number };

/** A part of time, epoch milliseconds; of no length for a moment. */
export type TimeSpan = { readonly fromMs: number; readonly toMs: number };

/** Requests that ended within a span, and their latencies. */
export type SeriesCounts = {
  readonly requests: number;
  readonly failed: number;
  readonly buckets: SparseArray;
};

/** Words of a bin: its number, then requests, failed requests and three percentiles. */
const wordsPerBin = 6;
/** Words of a histogram: the number of its bin, then the buckets. */
const wordsPerHistogram = 1 + histogramBucketCount;
const emptyBin = -1;

export class TimeSeries {
  readonly stepMs: number;
  readonly size: SeriesSize;
  /** Bins by number modulo `size.bins`, then histograms by number modulo `size.histograms`. */
  readonly #floats: Float32Array;
  /** The numbers of bins in the same memory. */
  readonly #numbers: Int32Array;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(stepMs: number, size: SeriesSize) {
    this.stepMs = stepMs;
    this.size = size;
    this.#floats = new Float32Array(size.bins * wordsPerBin + size.histograms * wordsPerHistogram);
    this.#numbers = new Int32Array(this.#floats.buffer);
    this.#clear();
  }

  /** True if each bin has a histogram. */
  get hasHistograms(): boolean {
    return this.size.histograms >= this.size.bins;
  }

  /** Counts what ended evenly over the span. What is older than the series is left out. */
  add({ fromMs, toMs }: TimeSpan, counted: SeriesCounts): void {
    const first = Math.floor(fromMs / this.stepMs);
    const last = Math.max(first, Math.ceil(toMs / this.stepMs) - 1);
    for (let number = Math.max(first, last - this.size.bins + 1); number <= last; number += 1) {
      const from = number === first ? 0 : (number * this.stepMs - fromMs) / (toMs - fromMs);
      const to = number === last ? 1 : ((number + 1) * this.stepMs - fromMs) / (toMs - fromMs);
      this.#addToBin(number, counted, from, to);
    }
  }

  /** Average per second of the fullest bin within the span. */
  peakRate({ fromMs, toMs }: TimeSpan): number {
    let peak = 0;
    const last = Math.floor(toMs / this.stepMs);
    const first = Math.max(Math.floor(fromMs / this.stepMs), last - this.size.bins + 1);
    for (let number = first; number <= last; number += 1)
      peak = Math.max(peak, this.countsAt(number).requests);
    return (peak * 1_000) / this.stepMs;
  }

  /**
   * Requests per second over the length of one bin until now, from the bin of now and part of the previous one.
   */
  rate(nowMs: number): number {
    const number = Math.floor(nowMs / this.stepMs);
    const share = 1 - (nowMs % this.stepMs) / this.stepMs;
    const requests = this.countsAt(number).requests + share * this.countsAt(number - 1).requests;
    return (requests * 1_000) / this.stepMs;
  }

  /** Requests in the bin with this number, and how many of them failed, without its percentiles. */
  countsAt(number: number): { readonly requests: number; readonly failed: number } {
    const at = this.#binOffset(number);
    const [requests = 0, failed = 0] =
      this.#numbers[at] === number ? this.#floats.subarray(at + 1, at + 3) : [];
    return { requests, failed };
  }

  /** The bin with this number; null if it is empty or too old. */
  binAt(number: number): Bin | null {
    const at = this.#binOffset(number);
    if (this.#numbers[at] !== number) return null;
    const [requests = 0, failed = 0, ...kept] = this.#floats.subarray(at + 1, at + wordsPerBin);
    const histogram = this.#histogramOf(number);
    const percentiles =
      histogram === null ? kept : [0.5, 0.95, 0.99].map((share) => percentile(histogram, share));
    const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = percentiles.map(rounded);
    const buckets = histogram === null ? null : toSparse(histogram);
    return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets };
  }

  /** The bins that are not empty, oldest first. */
  bins(): readonly Bin[] {
    const bins: Bin[] = [];
    // Counting up from -Infinity would not end.
    if (this.#newest === Number.NEGATIVE_INFINITY) return bins;
    for (let number = this.#newest - this.size.bins + 1; number <= this.#newest; number += 1) {
      const bin = this.binAt(number);
      if (bin !== null) bins.push(bin);
    }
    return bins;
  }

  /** Adds bins that `bins()` of this or another series returned, oldest first. */
  restore(bins: readonly Bin[]): void {
    for (const { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets } of bins) {
      const isNew = this.binAt(number) === null;
      this.#addToBin(number, { requests, failed, buckets: buckets ?? [] }, 0, 1);
      if (!isNew || this.#numbers[this.#binOffset(number)] !== number) continue;
      // Without its histogram, which this series may keep for a bin so young.
      if (buckets === null) this.#dropHistogram(number);
      this.#floats.set([p50Ms, p95Ms, p99Ms], this.#binOffset(number) + 3);
    }
  }

  /** Moves all bins back, so that none lies ahead of now. @returns true if they were moved */
  followClock(nowMs: number): boolean {
    if (this.#newest * this.stepMs <= nowMs + clockToleranceMs) return false;
    const back = this.#newest - Math.floor(nowMs / this.stepMs);
    const bins = this.bins().map((bin) => ({ ...bin, number: bin.number - back }));
    this.#clear();
    this.restore(bins);
    return true;
  }

  #clear(): void {
    this.#floats.fill(0);
    for (let bin = 0; bin < this.size.bins; bin += 1) this.#numbers[bin * wordsPerBin] = emptyBin;
    for (let bin = 0; bin < this.size.histograms; bin += 1)
      this.#numbers[this.#histogramOffset(bin)] = emptyBin;
    this.#newest = Number.NEGATIVE_INFINITY;
  }

  /** Adds the part of counts between two shares. Parts are whole numbers, and add up to the counts. */
  #addToBin(number: number, { requests, failed, buckets }: SeriesCounts, from: number, to: number): void {
    if (number <= this.#newest - this.size.bins) return;
    if (requests === 0 && failed === 0 && buckets.length === 0) return;
    this.#newest = Math.max(this.#newest, number);
    const at = this.#claimBin(number);
    const floats = this.#floats;
    floats[at + 1] = (floats[at + 1] ?? 0) + part(requests, from, to);
    floats[at + 2] = (floats[at + 2] ?? 0) + part(failed, from, to);
    const histogram = this.#histogramOf(number);
    if (histogram === null) return;
    for (let pair = 0; pair + 1 < buckets.length; pair += 2) {
      const bucket = buckets[pair] ?? -1;
      const count = histogram[bucket];
      if (count !== undefined) histogram[bucket] = count + part(buckets[pair + 1] ?? 0, from, to);
    }
  }

  /** @returns the offset of the bin, which is emptied if it was another's */
  #claimBin(number: number): number {
    const at = this.#binOffset(number);
    if (this.#numbers[at] === number) return at;
    this.#floats.fill(0, at, at + wordsPerBin);
    this.#numbers[at] = number;
    const histogramAt = this.#histogramOffset(number);
    const isYoung = number > this.#newest - this.size.histograms;
    if (!isYoung || (this.#numbers[histogramAt] ?? 0) > number) return at;
    this.#keepPercentiles(this.#numbers[histogramAt] ?? emptyBin);
    this.#floats.fill(0, histogramAt, histogramAt + wordsPerHistogram);
    this.#numbers[histogramAt] = number;
    return at;
  }

  /** Writes the percentiles of a bin that loses its histogram. */
  #keepPercentiles(number: number): void {
    const bin = number === emptyBin ? null : this.binAt(number);
    if (bin !== null) this.#floats.set([bin.p50Ms, bin.p95Ms, bin.p99Ms], this.#binOffset(number) + 3);
  }

  #dropHistogram(number: number): void {
    const at = this.#histogramOffset(number);
    if (this.size.histograms > 0 && this.#numbers[at] === number) this.#numbers[at] = emptyBin;
  }

  /** The histogram of a bin, which may be written; null if the bin has none. */
  #histogramOf(number: number): Float32Array | null {
    const at = this.#histogramOffset(number);
    if (this.size.histograms === 0 || this.#numbers[at] !== number) return null;
    return this.#floats.subarray(at + 1, at + wordsPerHistogram);
  }

  #binOffset(number: number): number {
    const { bins } = this.size;
    return (((number % bins) + bins) % bins) * wordsPerBin;
  }

  #histogramOffset(number: number): number {
    const { bins, histograms } = this.size;
    return bins * wordsPerBin + (((number % histograms) + histograms) % histograms) * wordsPerHistogram;
  }
}

/** The part of a count between two shares of it, a whole number. */
export function part(count: number, from: number, to: number): number {
  return Math.round(count * to) - Math.round(count * from);
}

/** Rounds to a hundredth: the value is exact to 19 % at best, and short in JSON. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
