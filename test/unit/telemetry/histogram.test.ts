import { expect, test } from "vitest";
import { boundsMs, bucketCount, bucketOf, percentile } from "../../../src/telemetry/histogram.ts";

test("[J1] a latency lies in the bucket whose bound is the first not below it", () => {
  expect(bucketOf(0)).toBe(0);
  expect(bucketOf(1)).toBe(0);
  expect(bucketOf(2)).toBe(4);
  expect(boundsMs[bucketOf(100)]).toBeGreaterThanOrEqual(100);
  expect(boundsMs[bucketOf(100) - 1]).toBeLessThan(100);
  expect(bucketOf(boundsMs.at(-1) ?? 0)).toBe(bucketCount - 2);
  expect(bucketOf(1e9)).toBe(bucketCount - 1);
});

test("[J1] what a clock that went back makes of a latency counts as 0", () => {
  expect(bucketOf(-5)).toBe(0);
  expect(bucketOf(Number.NaN)).toBe(0);
});

test("[J2] of nothing there is no percentile, and above the last bound it is that bound", () => {
  const buckets = new Float64Array(bucketCount);
  expect(percentile(buckets, 0.99)).toBe(0);
  buckets[bucketCount - 1] = 3;
  expect(percentile(buckets, 0.5)).toBe(boundsMs.at(-1));
});
