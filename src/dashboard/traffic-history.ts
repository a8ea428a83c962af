// The traffic history of a service or node, one point for each bin of its time series, and its chart data.

import type { TimeSeriesData } from "../telemetry/snapshot.ts";
import type { HeatmapData, LineChartData } from "./chart-data.ts";

type TrafficPoint = {
  /** Start of the bin, epoch milliseconds. */
  readonly atMs: number;
  /** Average per second. */
  readonly requests: number;
  /** Average per second. */
  readonly failed: number;
  /** Null without requests. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** The latency histogram as index, count, index, count; empty if the series has none. */
  readonly buckets: readonly number[];
};

/** Points, oldest first. */
export type TrafficHistory = { readonly stepMs: number; readonly points: readonly TrafficPoint[] };

/**
 * The complete bins since the first count. Later ones are left out, because they would look like a drop in
 * traffic.
 *
 * @param firstMs time of the first count, epoch milliseconds
 * @param completeMs up to when all counts have arrived, epoch milliseconds
 */
export function historyOf(series: TimeSeriesData, firstMs: number, completeMs: number): TrafficHistory {
  const { stepMs, startMs, requests } = series;
  const points = requests.flatMap((_, step) => {
    const atMs = startMs + step * stepMs;
    const endMs = atMs + stepMs;
    return endMs > firstMs && endMs <= completeMs ? [pointOf(series, step, atMs)] : [];
  });
  return { stepMs, points };
}

function pointOf(series: TimeSeriesData, step: number, atMs: number): TrafficPoint {
  const seconds = series.stepMs / 1_000;
  const at = (values: readonly number[]) => values[step] ?? 0;
  const hasLatency = at(series.p99Ms) > 0;
  return {
    atMs,
    requests: at(series.requests) / seconds,
    failed: at(series.failed) / seconds,
    p50Ms: hasLatency ? at(series.p50Ms) : null,
    p95Ms: hasLatency ? at(series.p95Ms) : null,
    p99Ms: hasLatency ? at(series.p99Ms) : null,
    buckets: series.buckets?.[step] ?? [],
  };
}

/** Two lines: requests and failed requests per second. */
export function rateChartData({ stepMs, points }: TrafficHistory): LineChartData {
  const lines = [points.map(({ requests }) => round(requests)), points.map(({ failed }) => round(failed))];
  return { startMs: points[0]?.atMs ?? 0, stepMs, lines };
}

/** Three lines: p50, p95 and p99 in milliseconds. */
export function latencyChartData({ stepMs, points }: TrafficHistory): LineChartData {
  const lines = (["p50Ms", "p95Ms", "p99Ms"] as const).map((percentile) =>
    points.map((point) => (point[percentile] === null ? null : round(point[percentile]))),
  );
  return { startMs: points[0]?.atMs ?? 0, stepMs, lines };
}

export function heatmapData({ stepMs, points }: TrafficHistory): HeatmapData {
  const cells = points.flatMap(({ buckets }, step) =>
    buckets.flatMap((bucket, index) => (index % 2 === 0 ? [step, bucket, buckets[index + 1] ?? 0] : [])),
  );
  return { startMs: points[0]?.atMs ?? 0, stepMs, steps: points.length, cells };
}

/** To three digits, which is all that a chart can show. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}
