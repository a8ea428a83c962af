// The traffic window: the current bin of a time series and the one before it.

import { binCount, type TimeSeries } from "./time-series.ts";

export type TrafficWindow = {
  /** The length of the window: one to two bins. */
  readonly seconds: number;
  readonly requests: number;
  readonly failed: number;
  /** Percentiles of the bin with more requests; 0 without responses. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
};

export function trafficWindow(series: TimeSeries, nowMs: number): TrafficWindow {
  const number = Math.floor(nowMs / series.stepMs);
  const current = series.binAt(number);
  const previous = series.binAt(number - 1);
  const larger = (current?.requests ?? 0) >= (previous?.requests ?? 0) ? current : previous;
  return {
    seconds: (series.stepMs + (nowMs - number * series.stepMs)) / 1_000,
    requests: (current?.requests ?? 0) + (previous?.requests ?? 0),
    failed: (current?.failed ?? 0) + (previous?.failed ?? 0),
    p50Ms: larger?.p50Ms ?? 0,
    p95Ms: larger?.p95Ms ?? 0,
    p99Ms: larger?.p99Ms ?? 0,
  };
}

/** Requests of each closed bin, oldest first. */
export function requestTrend(series: TimeSeries, nowMs: number): readonly number[] {
  const last = Math.floor(nowMs / series.stepMs) - 1;
  return Array.from(
    { length: binCount - 1 },
    (_, at) => series.binAt(last - binCount + 2 + at)?.requests ?? 0,
  );
}
