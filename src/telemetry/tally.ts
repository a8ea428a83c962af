// A tally: what was counted of one thing, and the histogram of its latencies.

import { counterCount } from "./counters.ts";
import { bucketCount } from "./histogram.ts";
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
