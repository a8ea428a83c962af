// Reads a snapshot from the telemetry state.

import { counterIndex, countsByName } from "./counters.ts";
import { type Coverage, coverageOf } from "./coverage.ts";
import { observationCount, percentile } from "./histogram.ts";
import { isOthers, type TelemetryItem } from "./items.ts";
import { type Tally, toSparse } from "./metrics.ts";
import { type GaugeValues, QueueGauges } from "./queue-gauges.ts";
import type {
  ColoTaskTraffic,
  ColoTraffic,
  EntryTraffic,
  LatencySummary,
  LeftOut,
  NodeTraffic,
  ServiceTraffic,
  Snapshot,
  SnapshotFilter,
  TaskTraffic,
  TimeSeriesData,
  TrafficMetrics,
  TrafficSeries,
} from "./snapshot.ts";
import { type IsolateState, isolateTimeoutMs, type TelemetryState } from "./telemetry-state.ts";
import { binCount, type TimeSeries } from "./time-series.ts";
import type { Totals } from "./totals.ts";
import { requestTrend, trafficWindow } from "./traffic-window.ts";

/**
 * The traffic at one moment; services, nodes and tasks are sorted by name.
 *
 * @param isLive true once isolates report every second
 */
export function readSnapshot(
  state: TelemetryState,
  nowMs: number,
  filter: SnapshotFilter = {},
  isLive = false,
): Snapshot {
  const reader = new SnapshotReader(state, nowMs, filter, isLive);
  return {
    atMs: nowMs,
    sinceMs: state.sinceMs,
    completeMs: reader.coverage.completeMs,
    leftOut: leftOutOf(state, nowMs),
    services: reader.services(),
    nodes: reader.nodes(),
    strays: reader.entriesOf(""),
    colos: filter.colos === true ? reader.colos() : [],
  };
}

class SnapshotReader {
  readonly coverage: Coverage;
  readonly #nowMs: number;
  readonly #filter: SnapshotFilter;
  readonly #items: Readonly<Record<TelemetryItem["kind"], readonly TelemetryItem[]>>;
  readonly #isolates: readonly IsolateState[];
  readonly #queueGauges: QueueGauges;

  constructor(state: TelemetryState, nowMs: number, filter: SnapshotFilter, isLive: boolean) {
    this.#nowMs = nowMs;
    this.#filter = filter;
    const byKind = Map.groupBy(state.items.values(), ({ kind }) => kind);
    const of = (kind: TelemetryItem["kind"]) => (byKind.get(kind) ?? []).sort(byName);
    const nodes = of("node");
    const selected = nodes.find(({ labels }) => filter.node === labels.id || filter.node === labels.name);
    const onNode = ({ labels }: TelemetryItem) =>
      filter.node === undefined || labels.nodeId === selected?.labels.id;
    this.#items = {
      service: of("service"),
      node: nodes,
      task: filter.tasks === false ? [] : of("task").filter(onNode),
      entry: filter.tasks === false || filter.entries === false ? [] : of("entry").filter(onNode),
      colo: of("colo").filter(onNode),
    };
    this.#isolates = [...state.isolates.values()].filter(
      ({ lastMs }) => Math.abs(nowMs - lastMs) <= isolateTimeoutMs,
    );
    this.#queueGauges = queueGaugesOf(this.#isolates);
    this.coverage = coverageOf(this.#isolates, nowMs, isLive);
  }

  services(): ServiceTraffic[] {
    const tasks = Map.groupBy(this.#items.task, ({ labels }) => labels.serviceId);
    return this.#selected("service").map((item) => ({
      id: item.labels.id,
      name: item.labels.name,
      ...this.#traffic(item.totals, this.#queueGauges.get(item.key)),
      series: this.#series(item.totals),
      tasks: (tasks.get(item.labels.id) ?? []).map((task) => this.#task(task)),
      entries: this.entriesOf(item.labels.id),
    }));
  }

  nodes(): NodeTraffic[] {
    return this.#selected("node").map(({ labels, key, totals }) => ({
      id: labels.id,
      name: labels.name,
      ...this.#traffic(totals, this.#queueGauges.get(key)),
      series: this.#series(totals),
    }));
  }

  entriesOf(serviceId: string): EntryTraffic[] {
    return this.#items.entry
      .filter(({ labels }) => labels.serviceId === serviceId)
      .map(({ labels, key, totals }) => ({
        nodeId: labels.nodeId,
        ...this.#traffic(totals, this.#queueGauges.get(key)),
      }));
  }

  colos(): ColoTraffic[] {
    const serviceIds = new Set(this.#selected("service").map(({ labels }) => labels.id));
    const coloTasks = this.#items.colo.filter(({ labels }) => serviceIds.has(labels.serviceId));
    const services = new Map(coloTasks.map(({ labels }) => [labels.id, labels.serviceId]));
    return [...Map.groupBy(coloTasks, ({ labels }) => labels.colo)].map(([colo, tasks]) => {
      const isolates = this.#isolates.filter((isolate) => isolate.colo === colo);
      const readInColo = this.#coloTaskReader(isolates);
      return {
        colo,
        tasks: tasks.map(({ labels, totals }) => readInColo(labels.id, labels.serviceId, totals)),
        isolates: isolates.map((isolate) => {
          const readInIsolate = this.#coloTaskReader([isolate]);
          return {
            id: isolate.id,
            lastMs: isolate.lastMs,
            tasks: [...isolate.tasks].flatMap(([id, totals]) => {
              const serviceId = services.get(id);
              return serviceId === undefined ? [] : [readInIsolate(id, serviceId, totals)];
            }),
          };
        }),
      };
    });
  }

  #selected(kind: "service" | "node"): readonly TelemetryItem[] {
    const ref = this.#filter[kind];
    return this.#items[kind].filter(
      ({ labels }) => ref === undefined || labels.id === ref || labels.name === ref,
    );
  }

  #task({ labels, key, totals }: TelemetryItem): TaskTraffic {
    const { id, name, slot, nodeId } = labels;
    return {
      id,
      name,
      slot,
      nodeId,
      ...this.#traffic(totals, this.#queueGauges.get(key)),
      series: this.#series(totals),
      ejectedBy: this.#ejectedBy(id, this.#isolates),
    };
  }

  /** Returns a reader of tasks as these isolates see them, with their gauges summed once. */
  #coloTaskReader(
    isolates: readonly IsolateState[],
  ): (taskId: string, serviceId: string, totals: Totals) => ColoTaskTraffic {
    const gauges = queueGaugesOf(isolates);
    return (taskId, serviceId, totals) => ({
      taskId,
      serviceId,
      ...this.#traffic(totals, gauges.get(`task ${taskId}`)),
      ejectedBy: this.#ejectedBy(taskId, isolates),
    });
  }

  #ejectedBy(taskId: string, isolates: readonly IsolateState[]): number {
    return isolates.filter(({ ejectedUntilMs }) => (ejectedUntilMs.get(taskId) ?? 0) > this.#nowMs).length;
  }

  #traffic(totals: Totals, gauges: GaugeValues): TrafficMetrics {
    const { tally, openMax, queueMax, rateMax, firstMs, lastMs, series } = totals;
    const { readMs, completeMs } = this.coverage;
    return {
      counts: countsByName(tally.counts),
      open: { now: gauges.open, max: openMax },
      queue: { now: gauges.queue, max: queueMax },
      rate: { now: series?.tens.rate(readMs) ?? 0, max: rateMax },
      latency: latencySummary(tally),
      recent: series === null ? null : trafficWindow(series.tens, readMs),
      trend: series === null || this.#filter.trend !== true ? [] : requestTrend(series.tens, completeMs),
      firstMs,
      lastMs,
    };
  }

  #series({ series }: Totals): TrafficSeries {
    if (series === null || this.#filter.series !== true || series.tens.size.bins < binCount) return null;
    const { completeMs } = this.coverage;
    return {
      tens: timeSeriesData(series.tens, completeMs),
      minutes: timeSeriesData(series.minutes, completeMs),
    };
  }
}

function queueGaugesOf(isolates: readonly IsolateState[]): QueueGauges {
  const sums = new QueueGauges();
  for (const { gauges } of isolates) for (const [key, values] of gauges) sums.add(key, values);
  return sums;
}

function latencySummary({ counts, buckets }: Tally): LatencySummary {
  const count = observationCount(buckets);
  return {
    count,
    avgMs: count === 0 ? 0 : (counts[counterIndex.tookMs] ?? 0) / count,
    p50Ms: percentile(buckets, 0.5),
    p95Ms: percentile(buckets, 0.95),
    p99Ms: percentile(buckets, 0.99),
    buckets: toSparse(buckets),
  };
}

/** How long after the last one was left out a kind is reported, milliseconds. */
const leftOutMs = 600_000;

function leftOutOf({ items, room }: TelemetryState, nowMs: number): readonly LeftOut[] {
  return [...room.leftOutMs].flatMap(([kind, atMs]) => {
    if (nowMs - atMs > leftOutMs) return [];
    let kept = 0;
    for (const item of items.values()) if (item.kind === kind && !isOthers(item)) kept += 1;
    return [{ kind, kept }];
  });
}

/** All bins up to the one of this time, with the empty ones. */
function timeSeriesData(series: TimeSeries, nowMs: number): TimeSeriesData {
  const last = Math.floor(nowMs / series.stepMs);
  const binByNumber = new Map(series.bins().map((bin) => [bin.number, bin]));
  const bins = Array.from({ length: binCount }, (_, at) => binByNumber.get(last - binCount + 1 + at));
  return {
    stepMs: series.stepMs,
    startMs: (last - binCount + 1) * series.stepMs,
    requests: bins.map((bin) => bin?.requests ?? 0),
    failed: bins.map((bin) => bin?.failed ?? 0),
    p50Ms: bins.map((bin) => bin?.p50Ms ?? 0),
    p95Ms: bins.map((bin) => bin?.p95Ms ?? 0),
    p99Ms: bins.map((bin) => bin?.p99Ms ?? 0),
    buckets: series.hasHistograms ? bins.map((bin) => bin?.buckets ?? []) : null,
  };
}

/** Compares by code unit, unlike a locale's order the same everywhere. */
function byName(a: TelemetryItem, b: TelemetryItem): number {
  const [first, second] = [`${a.labels.name} ${a.key}`, `${b.labels.name} ${b.key}`];
  return first < second ? -1 : first > second ? 1 : 0;
}
