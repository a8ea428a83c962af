// Short texts for rates, percentages, latencies and times, and sparklines.

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

/** A ratio as a percentage: `0`, `<0.1`, `2.5`, `100`. */
export function shortPercent(ratio: number): string {
  const percent = ratio * 100;
  if (percent === 0) return "0";
  if (percent < 0.05) return "<0.1";
  return percent > 99.95 ? "100" : percent.toFixed(1);
}

/** `0.8`, `12`, `1.2s`: milliseconds if there is no unit. */
export function shortLatency(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 9.95) return ms.toFixed(1);
  return ms < 999.5 ? String(Math.round(ms)) : `${(ms / 1_000).toFixed(1)}s`;
}

/** `42.0/s, 0.5 % errors, 0.2 retries/s, slowest: p50 3.1 ms, p95 12 ms, p99 40 ms`. */
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

/** The newest values as bars, scaled to the largest of them. */
export function sparkline(values: readonly number[], width: number): string {
  const newest = values.slice(-width);
  const max = Math.max(0, ...newest);
  const drawn = newest.map((value) =>
    value === 0 ? " " : (bars[Math.min(bars.length - 1, Math.floor((value / max) * bars.length))] ?? " "),
  );
  return drawn.join("").padStart(width);
}
