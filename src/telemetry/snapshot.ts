// A snapshot: all that can be read of a mesh's traffic at one moment. Plain data, which crosses RPC and JSON.

import type { Counts } from "./counters.ts";
import type { SparseArray } from "./metrics.ts";
import type { TrafficWindow } from "./traffic-window.ts";

export type Snapshot = {
  /** The telemetry object's clock, against which every `…Ms` moment here is to be read. Epoch milliseconds. */
  readonly atMs: number;
  /** Since when is counted. */
  readonly sinceMs: number;
  readonly services: readonly ServiceTraffic[];
  readonly nodes: readonly NodeTraffic[];
  /** Requests for no service of the mesh, by the node they came in at; "" where none could be picked. */
  readonly strays: readonly EntryTraffic[];
  readonly colos: readonly ColoTraffic[];
};

/** Now, and the most there ever were. */
export type GaugeReading = { readonly now: number; readonly max: number };

export type LatencySummary = {
  readonly count: number;
  readonly avgMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** As index, count, index, count over `boundsMs`. */
  readonly buckets: SparseArray;
};

export type TrafficMetrics = {
  readonly counts: Counts;
  /** Requests whose answer has not begun: over all isolates now; the most that was known at a time. */
  readonly open: GaugeReading;
  /** Those of them that are held back until a task may take them, in the same way. */
  readonly queue: GaugeReading;
  /** Requests a second; of a task times it was asked. 0 where no series is kept. */
  readonly rate: GaugeReading;
  readonly latency: LatencySummary;
  /** How it goes now; null where no series is kept. */
  readonly recent: TrafficWindow | null;
  /** Requests of each ten seconds of the last ten minutes, oldest first; empty where not asked for, or no series is kept. */
  readonly trend: readonly number[];
  /** When it was first and last counted. */
  readonly firstMs: number;
  readonly lastMs: number;
};

/** Steps of time, oldest first; the last one is still being counted. */
export type TimeSeriesData = {
  readonly stepMs: number;
  /** When the first step begins. */
  readonly startMs: number;
  readonly requests: readonly number[];
  /** Answered 5xx; of a task also those it did not answer. */
  readonly failed: readonly number[];
  readonly p50Ms: readonly number[];
  readonly p95Ms: readonly number[];
  readonly p99Ms: readonly number[];
  /** The histogram of each step; null where only percentiles are kept. */
  readonly buckets: readonly SparseArray[] | null;
};

/** The last ten minutes and the last hour; null where not asked for. */
export type TrafficSeries = { readonly tens: TimeSeriesData; readonly minutes: TimeSeriesData } | null;

export type ServiceTraffic = TrafficMetrics & {
  readonly id: string;
  readonly name: string;
  readonly series: TrafficSeries;
  readonly tasks: readonly TaskTraffic[];
  /** By the node whose entry point took the request. */
  readonly entries: readonly EntryTraffic[];
};

export type TaskTraffic = TrafficMetrics & {
  readonly id: string;
  /** `my-web.1`, or the server's name. */
  readonly name: string;
  readonly slot: number;
  readonly nodeId: string;
  readonly series: TrafficSeries;
  /** Isolates that pass it over now. */
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
  /** Isolates heard within a minute. */
  readonly isolates: readonly {
    readonly id: string;
    readonly lastMs: number;
    readonly tasks: readonly ColoTaskTraffic[];
  }[];
};

export type ColoTaskTraffic = TrafficMetrics & {
  readonly taskId: string;
  readonly serviceId: string;
  /** Isolates there that pass it over now. */
  readonly ejectedBy: number;
};

/** What a snapshot is asked to hold; left out: all. */
export type SnapshotFilter = {
  /** Ids or names. */
  readonly service?: string;
  readonly node?: string;
  /** False: without tasks and entries, which are most of it. */
  readonly tasks?: boolean;
  /** True: how many requests came in each of the last steps. */
  readonly trend?: boolean;
  /** True: time series. */
  readonly series?: boolean;
  /** True: how each colo sees the tasks. */
  readonly colos?: boolean;
  /** True: what it holds is saved first, so that no counter in it is ever lower later. */
  readonly saveFirst?: boolean;
};
