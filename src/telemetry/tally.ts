// A tally: what was counted of one thing, and the histogram of its latencies.

import { counterCount } from "./counters.ts";
import { histogramBucketCount } from "./histogram.ts";
import { addSparse, type SparseArray, toSparse } from "./sparse.ts";

export type Tally = { readonly counts: Float64Array; readonly buckets: Float64Array };

/** A tally as it is sent and kept. */
export type SparseTally = { readonly counts: SparseArray; readonly buckets: SparseArray };

export function newTally(): Tally {
  return { counts: new Float64Array(counterCount), buckets: new Float64Array(histogramBucketCount) };
}

export function toSparseTally({ counts, buckets }: Tally): SparseTally {
  return { counts: toSparse(counts), buckets: toSparse(buckets) };
}

/** Adds a written tally to one. */
export function addTally(to: Tally, { counts, buckets }: SparseTally): void {
  addSparse(to.counts, counts);
  addSparse(to.buckets, buckets);
}
