// A snapshot: a mesh's traffic at one moment, as plain data for RPC and JSON.

import type { Counts } from "./counters.ts";
import type { SparseArray } from "./metrics.ts";
import type { TrafficWindow } from "./traffic-window.ts";

export type Snapshot = {
  /** The telemetry object's clock, which all times here go by. Epoch milliseconds. */
  readonly atMs: number;
  /** The start of counting. */
  readonly sinceMs: number;
  /**
   * Requests that ended before this have been reported; of later ones perhaps not all. Rates are of a moment between
   * this and now. Epoch milliseconds.
   */
  readonly completeMs: number;
  /** What is not listed for want of memory. */
  readonly leftOut: readonly LeftOut[];
  readonly services: readonly ServiceTraffic[];
  readonly nodes: readonly NodeTraffic[];
  /** Requests that matched no service, by the node they entered at; "" if no node could be picked. */
  readonly strays: readonly EntryTraffic[];
  readonly colos: readonly ColoTraffic[];
};

/** A kind of which there are more than the telemetry object keeps apart; the rest counts as `(others)`. */
export type LeftOut = {
  readonly kind: "service" | "node" | "task" | "entry" | "colo";
  /** How many are kept apart. */
  readonly kept: number;
};

/** A gauge's value now, and its maximum. */
type GaugeReading = { readonly now: number; readonly max: number };

export type LatencySummary = {
  readonly count: number;
  readonly avgMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Indexes are those of `boundsMs`. */
  readonly buckets: SparseArray;
};

export type TrafficMetrics = {
  readonly counts: Counts;
  /** Requests waiting for response headers, summed over isolates. */
  readonly open: GaugeReading;
  /** Those of them that are in the queue. */
  readonly queue: GaugeReading;
  /** Requests per second; for a task, attempts. 0 without a series. */
  readonly rate: GaugeReading;
  readonly latency: LatencySummary;
  /** Current traffic; null without a series. */
  readonly recent: TrafficWindow | null;
  /** Requests by ten seconds of the last ten minutes, oldest first; empty if not selected or kept. */
  readonly trend: readonly number[];
  /** Time of the first and the last request counted. */
  readonly firstMs: number;
  readonly lastMs: number;
};

/** A time series with empty bins, oldest first. The last bin is incomplete. */
export type TimeSeriesData = {
  readonly stepMs: number;
  /** Start of the first bin. */
  readonly startMs: number;
  readonly requests: readonly number[];
  /** Responses 5xx; for a task, also attempts without a response. */
  readonly failed: readonly number[];
  readonly p50Ms: readonly number[];
  readonly p95Ms: readonly number[];
  readonly p99Ms: readonly number[];
  /** The histogram of each bin; null if only percentiles are kept. */
  readonly buckets: readonly SparseArray[] | null;
};

/** The last ten minutes and the last hour; null if not selected. */
export type TrafficSeries = { readonly tens: TimeSeriesData; readonly minutes: TimeSeriesData } | null;

export type ServiceTraffic = TrafficMetrics & {
  readonly id: string;
  readonly name: string;
  readonly series: TrafficSeries;
  readonly tasks: readonly TaskTraffic[];
  /** By node whose entry point got the request. */
  readonly entries: readonly EntryTraffic[];
};

export type TaskTraffic = TrafficMetrics & {
  readonly id: string;
  /** `my-web.1`, or a static server's name. */
  readonly name: string;
  readonly slot: number;
  readonly nodeId: string;
  readonly series: TrafficSeries;
  /** Isolates that eject it now. */
  readonly ejectedBy: number;
};

export type EntryTraffic = TrafficMetrics & { readonly nodeId: string };

export type NodeTraffic = TrafficMetrics & {
  readonly id: string;
  readonly name: string;
  readonly series: TrafficSeries;
};

/** How the isolates of one colo see the tasks. */
export type ColoTraffic = {
  readonly colo: string;
  readonly tasks: readonly ColoTaskTraffic[];
  /** Isolates with a delta within a minute. */
  readonly isolates: readonly {
    readonly id: string;
    readonly lastMs: number;
    readonly tasks: readonly ColoTaskTraffic[];
  }[];
};

export type ColoTaskTraffic = TrafficMetrics & {
  readonly taskId: string;
  readonly serviceId: string;
  /** Isolates of the colo, or 1 for the isolate itself, that eject it now. */
  readonly ejectedBy: number;
};

/** Selects the contents of a snapshot. */
export type SnapshotFilter = {
  /** Id or name; absent for all. */
  readonly service?: string;
  /** Id or name; absent for all. */
  readonly node?: string;
  /** False to leave out tasks and entries, which are most of it. */
  readonly tasks?: boolean;
  /** False to leave out entries: services by node, of which there may be as many as both multiplied. */
  readonly entries?: boolean;
  /** True for trends. */
  readonly trend?: boolean;
  /** True for time series. */
  readonly series?: boolean;
  /** True for traffic by colo. */
  readonly colos?: boolean;
  /** True for a reader that shows current traffic again and again: routers then report every second. */
  readonly live?: boolean;
  /** True to save the counters first, so that none is lower in a later snapshot. */
  readonly saveFirst?: boolean;
};
