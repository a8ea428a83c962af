// A tally: what was counted of one thing, and the histogram of its latencies.

import { counterCount } from "./counters.ts";
import { addBuckets, bucketCount } from "./histogram.ts";
import { addSparse, type Sparse, toSparse } from "./sparse.ts";

export type Tally = { readonly counts: Float64Array; readonly buckets: Float64Array };

/** A tally as it is sent and kept. */
export type WrittenTally = { readonly counts: Sparse; readonly buckets: Sparse };

export function newTally(): Tally {
  return { counts: new Float64Array(counterCount), buckets: new Float64Array(bucketCount) };
}

export function writeTally({ counts, buckets }: Tally): WrittenTally {
  return { counts: toSparse(counts), buckets: toSparse(buckets) };
}

/** Adds a written tally to one. */
export function addTally(to: Tally, { counts, buckets }: WrittenTally): void {
  addSparse(to.counts, counts);
  addSparse(to.buckets, buckets);
}

/** Adds one tally to another. */
export function mergeTally(to: Tally, { counts, buckets }: Tally): void {
  for (let index = 0; index < counterCount; index += 1) {
    to.counts[index] = (to.counts[index] ?? 0) + (counts[index] ?? 0);
  }
  addBuckets(to.buckets, buckets);
}
