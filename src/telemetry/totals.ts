// Totals: the traffic of one item, summed from deltas.

import { type CountedKind, counterCount, failedCount, seriesCount } from "./counters.ts";
import { type DeltaSpans, wholeSpan } from "./delta-spans.ts";
import { addSparse, addTally, type MetricReport, newTally, type SparseArray, type Tally } from "./metrics.ts";
import { part, type SeriesSize, TimeSeries } from "./time-series.ts";

export type Totals = {
  readonly tally: Tally;
  openMax: number;
  queueMax: number;
  /** The maximum of requests per second over ten seconds; for a task, of attempts. */
  rateMax: number;
  /** When the first and the last delta's last request ended, by the object's clock. */
  firstMs: number;
  lastMs: number;
  /** Null if only sums are kept. */
  readonly series: TimeSeriesPair | null;
};

export type TimeSeriesPair = { readonly tens: TimeSeries; readonly minutes: TimeSeries };

/** The sizes of both series. */
export type SeriesPairSize = { readonly tens: SeriesSize; readonly minutes: SeriesSize };

const tenSecondsMs = 10_000;
const minuteMs = 60_000;

export function newTimeSeriesPair({ tens, minutes }: SeriesPairSize): TimeSeriesPair {
  return { tens: new TimeSeries(tenSecondsMs, tens), minutes: new TimeSeries(minuteMs, minutes) };
}

export function newTotals(nowMs: number, series: TimeSeriesPair | null): Totals {
  return { tally: newTally(), openMax: 0, queueMax: 0, rateMax: 0, firstMs: nowMs, lastMs: nowMs, series };
}

/**
 * Adds a part of a delta.
 *
 * @param spans when its requests ended
 * @param kind a task's series count attempts and failed attempts, an entry's count requests and failed
 * requests
 */
export function addToTotals(
  totals: Totals,
  report: MetricReport,
  spans: DeltaSpans,
  kind: CountedKind,
): void {
  addTally(totals.tally, report);
  totals.openMax = Math.max(totals.openMax, report.openMax, report.open);
  totals.queueMax = Math.max(totals.queueMax, report.queueMax, report.queue);
  const whole = wholeSpan(spans);
  totals.lastMs = Math.max(totals.lastMs, whole.toMs);
  totals.firstMs = Math.min(totals.firstMs, whole.toMs);
  if (totals.series === null) return;
  addToSeries(totals.series, report, spans, kind);
  totals.rateMax = Math.max(totals.rateMax, totals.series.tens.peakRate(whole));
}

function addToSeries(
  { tens, minutes }: TimeSeriesPair,
  { counts: sparse, buckets, slices }: MetricReport,
  spans: DeltaSpans,
  kind: CountedKind,
): void {
  const counts = denseCounts.fill(0);
  addSparse(counts, sparse);
  const [requests, failed] = [seriesCount(counts, kind), failedCount(counts, kind)];
  if (slices === undefined || slices.length !== 2 * spans.length) {
    for (const series of [tens, minutes]) series.add(wholeSpan(spans), { requests, failed, buckets });
    return;
  }
  let before = 0;
  for (const [at, span] of spans.entries()) {
    const inSlice = slices[2 * at] ?? 0;
    const isLast = at === spans.length - 1;
    const from = share(before, requests);
    before += inSlice;
    // Latencies without a request that ended with them are of the last slice.
    const to = isLast ? 1 : share(before, requests);
    const counted = {
      requests: inSlice,
      failed: slices[2 * at + 1] ?? 0,
      buckets: partOf(buckets, from, to),
    };
    for (const series of [tens, minutes]) series.add(span, counted);
  }
}

/** Used by each call for itself: an array for each would be most of the garbage. */
const denseCounts = new Float64Array(counterCount);

function share(count: number, total: number): number {
  return total === 0 ? 0 : Math.min(1, count / total);
}

function partOf(buckets: SparseArray, from: number, to: number): SparseArray {
  if (from === 0 && to === 1) return buckets;
  if (from === to) return [];
  return buckets.map((value, at) => (at % 2 === 0 ? value : part(value, from, to)));
}
