// Recent: how it goes now, over the step that is still being counted and the one before it.

import type { TimeSeries } from "./time-series.ts";
import { binCount } from "./time-series.ts";

export type TrafficWindow = {
  /** Over how long: one step to two. */
  readonly seconds: number;
  readonly requests: number;
  readonly failed: number;
  /** Of the step of the two in which more was answered; 0 where nothing was. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
};

export function trafficWindow(steps: TimeSeries, nowMs: number): TrafficWindow {
  const number = Math.floor(nowMs / steps.stepMs);
  const newest = steps.binAt(number);
  const before = steps.binAt(number - 1);
  const fuller = (newest?.requests ?? 0) >= (before?.requests ?? 0) ? newest : before;
  return {
    seconds: (steps.stepMs + (nowMs - number * steps.stepMs)) / 1_000,
    requests: (newest?.requests ?? 0) + (before?.requests ?? 0),
    failed: (newest?.failed ?? 0) + (before?.failed ?? 0),
    p50Ms: fuller?.p50Ms ?? 0,
    p95Ms: fuller?.p95Ms ?? 0,
    p99Ms: fuller?.p99Ms ?? 0,
  };
}

/** Requests of each step that has ended, oldest first. */
export function requestTrend(steps: TimeSeries, nowMs: number): readonly number[] {
  const last = Math.floor(nowMs / steps.stepMs) - 1;
  return Array.from(
    { length: binCount - 1 },
    (_, at) => steps.binAt(last - binCount + 2 + at)?.requests ?? 0,
  );
}
