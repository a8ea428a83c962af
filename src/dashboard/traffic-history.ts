// History: how the traffic of one thing went, step by step, as charts and tables show it.

import type { TimeSeriesData } from "../telemetry/snapshot.ts";
import type { HeatmapData, LineChartData } from "./chart-data.ts";

/** One step of time. */
export type TrafficPoint = {
  /** When it began, epoch milliseconds. */
  readonly atMs: number;
  /** A second, on average. */
  readonly requests: number;
  readonly failed: number;
  /** Null when nothing was answered. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** As index, count, index, count; empty where no histogram is kept. */
  readonly buckets: readonly number[];
};

/** Moments, oldest first. */
export type TrafficHistory = { readonly stepMs: number; readonly points: readonly TrafficPoint[] };

/**
 * Steps that have ended: of one that is still being counted the chart would say that traffic falls.
 *
 * @param firstMs when anything was counted first: nothing is known of before
 */
export function historyOf(series: TimeSeriesData, firstMs: number, nowMs: number): TrafficHistory {
  const { stepMs, startMs, requests } = series;
  const moments = requests.flatMap((_, step) => {
    const atMs = startMs + step * stepMs;
    const isKnown = atMs + stepMs > firstMs && atMs + stepMs <= nowMs;
    return isKnown ? pointOf(series, step, atMs) : [];
  });
  return { stepMs, points: moments };
}

function pointOf(series: TimeSeriesData, step: number, atMs: number): TrafficPoint {
  const seconds = series.stepMs / 1_000;
  const at = (values: readonly number[]) => values[step] ?? 0;
  const answered = at(series.p99Ms) > 0;
  return {
    atMs,
    requests: at(series.requests) / seconds,
    failed: at(series.failed) / seconds,
    p50Ms: answered ? at(series.p50Ms) : null,
    p95Ms: answered ? at(series.p95Ms) : null,
    p99Ms: answered ? at(series.p99Ms) : null,
    buckets: series.buckets?.[step] ?? [],
  };
}

export function rateChartData({ stepMs, points }: TrafficHistory): LineChartData {
  const lines = [points.map(({ requests }) => round(requests)), points.map(({ failed }) => round(failed))];
  return { startMs: points[0]?.atMs ?? 0, stepMs, lines };
}

export function latencyChartData({ stepMs, points }: TrafficHistory): LineChartData {
  const lines = (["p50Ms", "p95Ms", "p99Ms"] as const).map((name) =>
    points.map((moment) => (moment[name] === null ? null : round(moment[name]))),
  );
  return { startMs: points[0]?.atMs ?? 0, stepMs, lines };
}

export function heatmapData({ stepMs, points }: TrafficHistory): HeatmapData {
  const cells = points.flatMap(({ buckets }, step) =>
    buckets.flatMap((bucket, at) => (at % 2 === 0 ? [step, bucket, buckets[at + 1] ?? 0] : [])),
  );
  return { startMs: points[0]?.atMs ?? 0, stepMs, steps: points.length, cells };
}

/** Three digits say all that a chart shows. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}
