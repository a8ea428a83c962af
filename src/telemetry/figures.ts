// Figures: what is known of one thing's traffic, counted up from deltas.

import { counter } from "./counters.ts";
import type { Waiting } from "./delta.ts";
import { addSparse } from "./sparse.ts";
import { Steps } from "./steps.ts";
import { addTally, newTally, type Tally, type WrittenTally } from "./tally.ts";

export type Figures = {
  readonly tally: Tally;
  openMax: number;
  queueMax: number;
  /** Most requests a second, of a task times it was asked. */
  rateMax: number;
  /** When it was first and last counted, by the object's clock. */
  readonly firstMs: number;
  lastMs: number;
  /** Null where only sums are kept. */
  readonly series: Series | null;
};

export type Series = { readonly tens: Steps; readonly minutes: Steps };

const tenSecondsMs = 10_000;
const minuteMs = 60_000;

export function newSeries(keepsBuckets: boolean): Series {
  return { tens: new Steps(tenSecondsMs, keepsBuckets), minutes: new Steps(minuteMs, keepsBuckets) };
}

export function newFigures(nowMs: number, series: Series | null): Figures {
  return { tally: newTally(), openMax: 0, queueMax: 0, rateMax: 0, firstMs: nowMs, lastMs: nowMs, series };
}

/**
 * Counts a delta in. What is counted now came in within the last seconds, and is counted as of now: clocks of isolates
 * say nothing here.
 *
 * @param as of a task it matters how often it was asked, and what came to no answer
 */
export function count(
  figures: Figures,
  delta: WrittenTally & Waiting,
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
  const asked = counts[as === "task" ? counter.attempts : counter.requests] ?? 0;
  const failed = as === "task" ? failedAttempts(counts) : failedRequests(counts);
  const { tens, minutes } = figures.series;
  for (const steps of [tens, minutes]) steps.add(nowMs, asked, failed, buckets);
  figures.rateMax = Math.max(figures.rateMax, tens.rate(nowMs));
}

/** Requests answered 5xx, by the mesh itself or by a task. */
function failedRequests(counts: Float64Array): number {
  return counts[counter.responses5xx] ?? 0;
}

/** Attempts answered 5xx, or not at all. */
function failedAttempts(counts: Float64Array): number {
  const at = (index: number) => counts[index] ?? 0;
  const unanswered = at(counter.connectErrors) + at(counter.responseErrors) + at(counter.timeouts);
  return failedRequests(counts) + unanswered;
}
