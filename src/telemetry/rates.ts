// Rates: current traffic as tables and pages show it, in requests per second, error ratio and latencies.

import type { TrafficWindow } from "./traffic-window.ts";

export type Rates = {
  readonly requestsPerSecond: number;
  /** 0 to 1. */
  readonly errorRatio: number;
  /** Null without responses. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
};

/** An unknown key has a rate of zero. */
export function ratesOf(recent: TrafficWindow | null | undefined): Rates {
  if (recent === null || recent === undefined || recent.requests === 0) {
    return { requestsPerSecond: 0, errorRatio: 0, p50Ms: null, p95Ms: null, p99Ms: null };
  }
  const { requests, failed, seconds, p50Ms, p95Ms, p99Ms } = recent;
  const hasLatency = p99Ms > 0;
  return {
    requestsPerSecond: requests / seconds,
    errorRatio: Math.min(1, failed / requests),
    p50Ms: hasLatency ? p50Ms : null,
    p95Ms: hasLatency ? p95Ms : null,
    p99Ms: hasLatency ? p99Ms : null,
  };
}

/** The rates of several keys together. Percentiles do not add up, so the slowest key's are given. */
export function combinedRates(all: readonly { readonly recent: TrafficWindow | null }[]): Rates {
  const windows = all.flatMap(({ recent }) => recent ?? []);
  const [first] = windows;
  if (first === undefined) return ratesOf(null);
  const max = (value: (window: TrafficWindow) => number) => Math.max(0, ...windows.map(value));
  const sum = (value: (window: TrafficWindow) => number) =>
    windows.reduce((total, window) => total + value(window), 0);
  return ratesOf({
    seconds: first.seconds,
    requests: sum(({ requests }) => requests),
    failed: sum(({ failed }) => failed),
    p50Ms: max(({ p50Ms }) => p50Ms),
    p95Ms: max(({ p95Ms }) => p95Ms),
    p99Ms: max(({ p99Ms }) => p99Ms),
  });
}
