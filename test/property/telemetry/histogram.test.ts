import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addBuckets,
  newBuckets,
  observationCount,
  percentile,
  percentileUpperBound,
  recordLatency,
} from "../../../src/telemetry/histogram.ts";

const latencies = fc.array(fc.double({ min: 1, max: 130_000, noNaN: true }), {
  minLength: 1,
  maxLength: 200,
});

function histogramOf(values: readonly number[]): Float64Array {
  const buckets = newBuckets();
  for (const ms of values) recordLatency(buckets, ms);
  return buckets;
}

function merged(...all: readonly Float64Array[]): Float64Array {
  const sum = newBuckets();
  for (const buckets of all) addBuckets(sum, buckets);
  return sum;
}

test("[J1] merging is associative and commutative, and keeps every count", () => {
  fc.assert(
    fc.property(latencies, latencies, latencies, (first, second, third) => {
      const [a, b, c] = [histogramOf(first), histogramOf(second), histogramOf(third)];
      expect(merged(merged(a, b), c)).toEqual(merged(a, merged(b, c)));
      expect(merged(a, b)).toEqual(merged(b, a));
      expect(merged(a, b, c)).toEqual(histogramOf([...first, ...second, ...third]));
      expect(observationCount(merged(a, b, c))).toBe(first.length + second.length + third.length);
    }),
  );
});

test("[J2] a percentile is at most one bucket, 19 %, from the true one", () => {
  fc.assert(
    fc.property(latencies, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(share * sorted.length - 1e-9) - 1] ?? 0;
      const estimate = percentile(histogramOf(values), share);
      expect(estimate).toBeGreaterThanOrEqual(exact / 2 ** 0.25 - 1.01);
      expect(estimate).toBeLessThanOrEqual(exact * 2 ** 0.25 + 1e-6);
      const upper = percentileUpperBound(histogramOf(values), share);
      expect(upper).toBeGreaterThanOrEqual(exact - 1e-6);
      expect(upper).toBeLessThanOrEqual(exact * 2 ** 0.25 + 1e-6);
    }),
  );
});
