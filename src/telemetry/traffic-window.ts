// The windows in which a page or a problem counts: current traffic in the current bin of a time series and the
// one before it, errors over as many bins as hold enough requests to judge by.

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
  /** What error shares are judged by. Absent in snapshots of earlier releases. */
  readonly errors?: ErrorWindow | undefined;
};

/**
 * The shortest time until now with enough requests, or the whole series if they are fewer. It begins with the first
 * request in it.
 */
export type ErrorWindow = { readonly seconds: number; readonly requests: number; readonly failed: number };

/** With fewer requests, one of them would decide whether the share of errors is an alarm. */
const minJudgedRequests = 100;

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
    errors: errorWindow(series, nowMs),
  };
}

function errorWindow(series: TimeSeries, nowMs: number): ErrorWindow {
  const number = Math.floor(nowMs / series.stepMs);
  let [requests, failed, bins, firstNumber] = [0, 0, 0, number];
  while (bins < binCount && (bins < 2 || requests < minJudgedRequests)) {
    const counts = series.countsAt(number - bins);
    requests += counts.requests;
    failed += counts.failed;
    if (counts.requests > 0) firstNumber = number - bins;
    bins += 1;
  }
  return { seconds: (nowMs - firstNumber * series.stepMs) / 1_000, requests, failed };
}

/** Requests of each closed bin, oldest first. */
export function requestTrend(series: TimeSeries, nowMs: number): readonly number[] {
  const last = Math.floor(nowMs / series.stepMs) - 1;
  return Array.from({ length: binCount - 1 }, (_, at) => series.countsAt(last - binCount + 2 + at).requests);
}
