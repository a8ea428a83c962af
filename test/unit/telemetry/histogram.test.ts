import { expect, test } from "vitest";
import {
  boundsMs,
  bucketIndex,
  histogramBucketCount,
  newBuckets,
  percentile,
  percentileUpperBound,
} from "../../../src/telemetry/histogram.ts";

test("[J1] a latency is in the first bucket whose bound is not below it", () => {
  expect(bucketIndex(0)).toBe(0);
  expect(bucketIndex(1)).toBe(0);
  expect(bucketIndex(2)).toBe(4);
  expect(boundsMs[bucketIndex(100)]).toBeGreaterThanOrEqual(100);
  expect(boundsMs[bucketIndex(100) - 1]).toBeLessThan(100);
  expect(bucketIndex(boundsMs.at(-1) ?? 0)).toBe(histogramBucketCount - 2);
  expect(bucketIndex(1e9)).toBe(histogramBucketCount - 1);
});

test("[J1] a negative latency, from a clock that jumped back, counts as 0", () => {
  expect(bucketIndex(-5)).toBe(0);
  expect(bucketIndex(Number.NaN)).toBe(0);
});

test("[J2] a percentile is 0 for an empty histogram, and the last bound above that bound", () => {
  const buckets = newBuckets();
  expect(percentile(buckets, 0.99)).toBe(0);
  expect(percentileUpperBound(buckets, 0.99)).toBe(0);
  buckets[histogramBucketCount - 1] = 3;
  expect(percentile(buckets, 0.5)).toBe(boundsMs.at(-1));
  expect(percentileUpperBound(buckets, 0.5)).toBe(boundsMs.at(-1));
});
