// The latency histogram: counts in log-scale buckets. All histograms have the same buckets, so they add up.

/** Bucket bounds grow by the fourth root of two, so a percentile is at most 19 % from the true one. */
export const histogramBucketsPerDoubling = 4;

const boundCount = 17 * histogramBucketsPerDoubling + 1;

/** Inclusive upper bounds of the buckets, 1 to 131,072 milliseconds. */
export const boundsMs: readonly number[] = Array.from(
  { length: boundCount },
  (_, bucket) => 2 ** (bucket / histogramBucketsPerDoubling),
);

/** One more than there are bounds: the last bucket has no upper bound. */
export const histogramBucketCount = boundCount + 1;

/** An empty histogram: one count for each bucket. */
export function newBuckets(): Float64Array {
  return new Float64Array(histogramBucketCount);
}

/** Counts one latency. */
export function recordLatency(buckets: Float64Array, ms: number): void {
  const bucket = bucketIndex(ms);
  buckets[bucket] = (buckets[bucket] ?? 0) + 1;
}

/** The bucket of a latency. A negative latency, which a clock that jumps back causes, counts as 0. */
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

/** The number of latencies counted. */
export function observationCount(buckets: ArrayLike<number>): number {
  return countBelow(buckets, histogramBucketCount);
}

/**
 * The percentile in milliseconds, interpolated within its bucket. Above the last bound it is that bound; 0
 * for an empty histogram.
 *
 * @param share 0 to 1
 */
export function percentile(buckets: ArrayLike<number>, share: number): number {
  const bucket = percentileBucket(buckets, share);
  if (bucket < 0) return 0;
  if (bucket >= boundCount) return upperBoundMs(bucket);
  const lowerMs = bucket === 0 ? 0 : upperBoundMs(bucket - 1);
  const rank = share * observationCount(buckets) - countBelow(buckets, bucket);
  return lowerMs + (upperBoundMs(bucket) - lowerMs) * (rank / (buckets[bucket] ?? 1));
}

/**
 * The upper bound of the bucket in which the percentile lies, in milliseconds: never below the true
 * percentile, unless that is above the last bound. 0 for an empty histogram.
 *
 * @param share 0 to 1
 */
export function percentileUpperBound(buckets: ArrayLike<number>, share: number): number {
  const bucket = percentileBucket(buckets, share);
  return bucket < 0 ? 0 : upperBoundMs(bucket);
}

/** The bucket in which the percentile lies; -1 for an empty histogram. */
function percentileBucket(buckets: ArrayLike<number>, share: number): number {
  let rank = share * observationCount(buckets);
  if (rank <= 0) return -1;
  for (let bucket = 0; bucket < boundCount; bucket += 1) {
    rank -= buckets[bucket] ?? 0;
    if (rank <= 0) return bucket;
  }
  return boundCount;
}

function upperBoundMs(bucket: number): number {
  return boundsMs[Math.min(bucket, boundCount - 1)] ?? 0;
}

function countBelow(buckets: ArrayLike<number>, end: number): number {
  let count = 0;
  for (let bucket = 0; bucket < end; bucket += 1) count += buckets[bucket] ?? 0;
  return count;
}
