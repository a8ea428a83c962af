// Now: how traffic goes, as people are shown it: rates, shares, latencies.

import type { TrafficWindow } from "./traffic-window.ts";

export type Rates = {
  /** A second. */
  readonly requestsPerSecond: number;
  /** Share that failed, 0 to 1. */
  readonly errorRatio: number;
  /** Null when nothing was answered. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
};

/** Of a thing nothing is known of: nothing comes. */
export function ratesOf(recent: TrafficWindow | null | undefined): Rates {
  if (recent === null || recent === undefined || recent.requests === 0) {
    return { requestsPerSecond: 0, errorRatio: 0, p50Ms: null, p95Ms: null, p99Ms: null };
  }
  const { requests, failed, seconds, p50Ms, p95Ms, p99Ms } = recent;
  const answered = p99Ms > 0;
  return {
    requestsPerSecond: requests / seconds,
    errorRatio: Math.min(1, failed / requests),
    p50Ms: answered ? p50Ms : null,
    p95Ms: answered ? p95Ms : null,
    p99Ms: answered ? p99Ms : null,
  };
}

/** Many things together. Percentiles do not add up: the slowest one's are told, which is where to look. */
export function combinedRates(all: readonly { readonly recent: TrafficWindow | null }[]): Rates {
  const known = all.flatMap(({ recent }) => recent ?? []);
  const [first] = known;
  if (first === undefined) return ratesOf(null);
  const most = (value: (one: TrafficWindow) => number) =>
    known.reduce((so, one) => Math.max(so, value(one)), 0);
  const total = (value: (one: TrafficWindow) => number) => known.reduce((so, one) => so + value(one), 0);
  return ratesOf({
    seconds: first.seconds,
    requests: total(({ requests }) => requests),
    failed: total(({ failed }) => failed),
    p50Ms: most(({ p50Ms }) => p50Ms),
    p95Ms: most(({ p95Ms }) => p95Ms),
    p99Ms: most(({ p99Ms }) => p99Ms),
  });
}
