// The histogram of latencies: log buckets, the same ones everywhere, so that any two add up.

/** Bounds grow by the fourth root of two: a percentile read from it is at most 19 % from the true one. */
export const histogramBucketsPerDoubling = 4;

const boundCount = 17 * histogramBucketsPerDoubling + 1;

/** Upper bounds in milliseconds, 1 to 131,072; a bucket holds what is above the bound before it. */
export const boundsMs: readonly number[] = Array.from(
  { length: boundCount },
  (_, bucket) => 2 ** (bucket / histogramBucketsPerDoubling),
);

/** One bucket more than bounds: the last one holds all that is above the last bound. */
export const histogramBucketCount = boundCount + 1;

/** The bucket of a latency. What a clock that went back makes of it counts as 0. */
export function bucketIndex(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(histogramBucketCount - 1, Math.ceil(Math.log2(ms) * histogramBucketsPerDoubling));
}

/** Adds the counts of one histogram to another. */
export function addBuckets(to: Float64Array, from: ArrayLike<number>): void {
  for (let bucket = 0; bucket < histogramBucketCount; bucket += 1) {
    to[bucket] = (to[bucket] ?? 0) + (from[bucket] ?? 0);
  }
}

export function observationCount(buckets: ArrayLike<number>): number {
  let count = 0;
  for (let bucket = 0; bucket < histogramBucketCount; bucket += 1) count += buckets[bucket] ?? 0;
  return count;
}

/**
 * The latency that a share of all are no slower than, milliseconds: between the bounds of the bucket it lies in, as if
 * those in it were spread evenly. Above the last bound: that bound. 0 where nothing was counted.
 *
 * @param share 0 to 1
 */
export function percentile(buckets: ArrayLike<number>, share: number): number {
  let left = share * observationCount(buckets);
  if (left <= 0) return 0;
  for (let bucket = 0; bucket < boundCount; bucket += 1) {
    const count = buckets[bucket] ?? 0;
    if (count > 0 && left <= count) {
      const lower = bucket === 0 ? 0 : (boundsMs[bucket - 1] ?? 0);
      return lower + ((boundsMs[bucket] ?? 0) - lower) * (left / count);
    }
    left -= count;
  }
  return boundsMs[boundCount - 1] ?? 0;
}
