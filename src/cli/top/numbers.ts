// Numbers in few places: rates, shares, latencies, and a row of bars for how a rate went.

import type { RowMeasurements } from "./rows.ts";

/** `12:00:00 UTC`. */
export function utcTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}

/** `0`, `0.4`, `12.3`, `940`, `12.3k`. */
export function shortRate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 0.05) return "<0.1";
  if (perSecond < 99.95) return perSecond.toFixed(1);
  return perSecond < 9_999.5 ? String(Math.round(perSecond)) : `${(perSecond / 1_000).toFixed(1)}k`;
}

/** `0`, `<0.1`, `2.5`, `100`: of a hundred. */
export function shortPercent(share: number): string {
  const hundred = share * 100;
  if (hundred === 0) return "0";
  if (hundred < 0.05) return "<0.1";
  return hundred > 99.95 ? "100" : hundred.toFixed(1);
}

/** `0.8`, `12`, `1.2s`: milliseconds unless it says otherwise. */
export function shortLatency(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 9.95) return ms.toFixed(1);
  return ms < 999.5 ? String(Math.round(ms)) : `${(ms / 1_000).toFixed(1)}s`;
}

/** `42.0/s, 0.5 % errors, p50 3.1 ms, p95 12 ms, p99 40 ms, 0.2 retries/s`. */
export function trafficSummary({
  requestsPerSecond,
  errorRatio,
  p50Ms,
  p95Ms,
  p99Ms,
  retries,
}: RowMeasurements): string {
  const latencies =
    p50Ms === null ? [] : [`slowest: p50 ${withUnit(p50Ms)}, p95 ${withUnit(p95Ms)}, p99 ${withUnit(p99Ms)}`];
  return [
    `${shortRate(requestsPerSecond)}/s`,
    `${shortPercent(errorRatio)} % errors`,
    ...(retries === null ? [] : [`${shortRate(retries)} retries/s`]),
    ...latencies,
  ].join(", ");
}

function withUnit(ms: number | null): string {
  const text = shortLatency(ms);
  return text.endsWith("s") ? `${text.slice(0, -1)} s` : `${text} ms`;
}

const bars = "▁▂▃▄▅▆▇█";

/** The newest values as bars, against the largest of them. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const most = Math.max(0, ...shown);
  const drawn = shown.map((value) =>
    value === 0 ? " " : (bars[Math.min(bars.length - 1, Math.floor((value / most) * bars.length))] ?? " "),
  );
  return drawn.join("").padStart(width);
}
