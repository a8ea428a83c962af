// Figures: what is known of one thing's traffic, counted up from deltas.

import { counterIndex } from "./counters.ts";
import { addSparse, addTally, type GaugeReport, newTally, type SparseTally, type Tally } from "./metrics.ts";
import { TimeSeries } from "./time-series.ts";

export type Totals = {
  readonly tally: Tally;
  openMax: number;
  queueMax: number;
  /** Most requests a second, of a task times it was asked. */
  rateMax: number;
  /** When it was first and last counted, by the object's clock. */
  readonly firstMs: number;
  lastMs: number;
  /** Null where only sums are kept. */
  readonly series: TimeSeriesPair | null;
};

export type TimeSeriesPair = { readonly tens: TimeSeries; readonly minutes: TimeSeries };

const tenSecondsMs = 10_000;
const minuteMs = 60_000;

export function newTimeSeriesPair(keepsBuckets: boolean): TimeSeriesPair {
  return {
    tens: new TimeSeries(tenSecondsMs, keepsBuckets),
    minutes: new TimeSeries(minuteMs, keepsBuckets),
  };
}

export function newTotals(nowMs: number, series: TimeSeriesPair | null): Totals {
  return { tally: newTally(), openMax: 0, queueMax: 0, rateMax: 0, firstMs: nowMs, lastMs: nowMs, series };
}

/**
 * Counts a delta in. What is counted now came in within the last seconds, and is counted as of now: clocks of isolates
 * say nothing here.
 *
 * @param as of a task it matters how often it was asked, and what came to no answer
 */
export function addToTotals(
  figures: Totals,
  delta: SparseTally & GaugeReport,
  nowMs: number,
  as: "task" | "entry",
): void {
  addTally(figures.tally, delta);
  figures.openMax = Math.max(figures.openMax, delta.openMax, delta.open);
  figures.queueMax = Math.max(figures.queueMax, delta.queueMax, delta.queue);
  figures.lastMs = nowMs;
  if (figures.series === null) return;
  const { counts, buckets } = newTally();
  addSparse(counts, delta.counts);
  addSparse(buckets, delta.buckets);
  const asked = counts[as === "task" ? counterIndex.attempts : counterIndex.requests] ?? 0;
  const failed = as === "task" ? failedAttempts(counts) : failedRequests(counts);
  const { tens, minutes } = figures.series;
  for (const steps of [tens, minutes]) steps.add(nowMs, asked, failed, buckets);
  figures.rateMax = Math.max(figures.rateMax, tens.rate(nowMs));
}

/** Requests answered 5xx, by the mesh itself or by a task. */
function failedRequests(counts: Float64Array): number {
  return counts[counterIndex.responses5xx] ?? 0;
}

/** Attempts answered 5xx, or not at all. */
function failedAttempts(counts: Float64Array): number {
  const at = (index: number) => counts[index] ?? 0;
  const unanswered =
    at(counterIndex.connectErrors) + at(counterIndex.responseErrors) + at(counterIndex.timeouts);
  return failedRequests(counts) + unanswered;
}
