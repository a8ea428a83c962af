// Totals: the traffic of one item, summed from deltas.

import { counterIndex } from "./counters.ts";
import { addSparse, addTally, type GaugeReport, newTally, type SparseTally, type Tally } from "./metrics.ts";
import { TimeSeries } from "./time-series.ts";

export type Totals = {
  readonly tally: Tally;
  openMax: number;
  queueMax: number;
  /** The maximum of requests per second; for a task, of attempts. */
  rateMax: number;
  /** Time of the first and the last delta, by the object's clock. */
  firstMs: number;
  lastMs: number;
  /** Null if only sums are kept. */
  readonly series: TimeSeriesPair | null;
};

export type TimeSeriesPair = { readonly tens: TimeSeries; readonly minutes: TimeSeries };

const tenSecondsMs = 10_000;
const minuteMs = 60_000;

export function newTimeSeriesPair(hasHistograms: boolean): TimeSeriesPair {
  return {
    tens: new TimeSeries(tenSecondsMs, hasHistograms),
    minutes: new TimeSeries(minuteMs, hasHistograms),
  };
}

export function newTotals(nowMs: number, series: TimeSeriesPair | null): Totals {
  return { tally: newTally(), openMax: 0, queueMax: 0, rateMax: 0, firstMs: nowMs, lastMs: nowMs, series };
}

/**
 * Adds a delta. Its requests ended within the last seconds and count as of now: clocks of isolates are not
 * used.
 *
 * @param kind a task's series count attempts and failed attempts, an entry's count requests and failed
 * requests
 */
export function addToTotals(
  totals: Totals,
  delta: SparseTally & GaugeReport,
  nowMs: number,
  kind: "task" | "entry",
): void {
  addTally(totals.tally, delta);
  totals.openMax = Math.max(totals.openMax, delta.openMax, delta.open);
  totals.queueMax = Math.max(totals.queueMax, delta.queueMax, delta.queue);
  totals.lastMs = nowMs;
  if (totals.series === null) return;
  const { counts, buckets } = newTally();
  addSparse(counts, delta.counts);
  addSparse(buckets, delta.buckets);
  const count = counts[kind === "task" ? counterIndex.attempts : counterIndex.requests] ?? 0;
  const failed = kind === "task" ? failedAttempts(counts) : failedRequests(counts);
  const { tens, minutes } = totals.series;
  for (const series of [tens, minutes]) series.add(nowMs, count, failed, buckets);
  totals.rateMax = Math.max(totals.rateMax, tens.rate(nowMs));
}

/** Requests with a 5xx response, from the mesh itself or a task, and connections that no task got. */
function failedRequests(counts: Float64Array): number {
  return (counts[counterIndex.responses5xx] ?? 0) + (counts[counterIndex.refusedConnections] ?? 0);
}

/** Attempts with a 5xx response, or without a response. */
function failedAttempts(counts: Float64Array): number {
  const at = (index: number) => counts[index] ?? 0;
  const unanswered =
    at(counterIndex.connectErrors) + at(counterIndex.responseErrors) + at(counterIndex.timeouts);
  return failedRequests(counts) + unanswered;
}
