// Metric families of traffic.
//
// The number of series is bounded: responses are counted by status class and latencies by service only. Above
// the limit of series by task, or by service and node, those are left out, and `waggle_metrics_left_out` has
// their number.

import type { CounterName, Counts } from "../../telemetry/counters.ts";
import { boundsMs, histogramBucketsPerDoubling } from "../../telemetry/histogram.ts";
import type {
  EntryTraffic,
  LatencySummary,
  ServiceTraffic,
  Snapshot,
  TaskTraffic,
} from "../../telemetry/snapshot.ts";
import {
  counterFamily,
  gaugeFamily,
  type MetricFamily,
  type MetricLabels,
  type MetricSample,
  maxSeries,
  sample,
} from "./family.ts";
import type { MetricTarget } from "./mesh-families.ts";

const responseClassCounters: readonly (readonly [code: string, counter: CounterName])[] = [
  ["1xx", "responses1xx"],
  ["2xx", "responses2xx"],
  ["3xx", "responses3xx"],
  ["4xx", "responses4xx"],
  ["5xx", "responses5xx"],
  ["other", "responsesOther"],
];

const refusalStatusCounters: readonly (readonly [code: string, counter: CounterName])[] = [
  ["400", "refused400"],
  ["404", "refused404"],
  ["500", "refused500"],
  ["502", "refused502"],
  ["503", "refused503"],
  ["504", "refused504"],
  ["508", "refused508"],
  ["other", "refusedOther"],
];

/** Counters by service, one family each. */
const serviceCounters: readonly (readonly [name: string, counter: CounterName, help: string])[] = [
  [
    "waggle_received_bytes_total",
    "bytesIn",
    "Bytes of request bodies, by Content-Length; in mode tcp of connections",
  ],
  [
    "waggle_sent_bytes_total",
    "bytesOut",
    "Bytes of response bodies, by Content-Length; in mode tcp of connections",
  ],
  ["waggle_attempts_total", "attempts", "Attempts: requests sent to a task or server"],
  ["waggle_retries_total", "retries", "Attempts on another task because one failed"],
  ["waggle_hedges_total", "hedges", "Attempts on another task because one was slow to respond"],
  [
    "waggle_refused_connections_total",
    "refusedConnections",
    "Connections of services in mode tcp that no task or server got",
  ],
  ["waggle_hedges_won_total", "hedgesWon", "Hedges whose response came first"],
  ["waggle_ejections_total", "ejections", "Times an isolate ejected a task"],
  [
    "waggle_panics_total",
    "panics",
    "Requests sent while so many tasks were ejected that ejections were ignored",
  ],
];

/**
 * @param targets the registry's: telemetry also has traffic of past tasks, which would never leave the page
 */
export function trafficFamilies(snapshot: Snapshot, targets: readonly MetricTarget[]): MetricFamily[] {
  const { services, nodes, strays } = snapshot;
  const nodeNames = new Map(nodes.map(({ id, name }) => [id, name]));
  const entries = entrySeries(services, nodeNames);
  const tasks = taskSeries(services, targets);
  return [
    gaugeFamily("waggle_metrics_left_out", "Series left out because there are too many", [
      sample(Math.max(0, entries.leftOut), { what: "entries" }),
      sample(Math.max(0, tasks.leftOut), { what: "tasks" }),
    ]),
    counterFamily(
      "waggle_requests_total",
      "Completed requests, by service, node whose entry point they used, and status class",
      entries.series.flatMap(({ labels, counts }) =>
        samplesByCode(responseClassCounters, counts, labels, includeZeroAlways),
      ),
    ),
    counterFamily(
      "waggle_refused_requests_total",
      "Requests that the mesh itself refused, by status; service is empty if none matched",
      [
        ...services.flatMap(({ name, counts }) =>
          samplesByCode(refusalStatusCounters, counts, { service: name }, isCommonRefusal),
        ),
        ...samplesByCode(refusalStatusCounters, sumCounts(strays), { service: "" }, includeZeroNever),
      ],
    ),
    durationHistogram(services),
    ...serviceCounters.map(([name, counter, help]) =>
      counterFamily(
        name,
        help,
        services.map((service) => sample(service.counts[counter], { service: service.name })),
      ),
    ),
    gaugeFamily(
      "waggle_requests_waiting",
      "Requests waiting for response headers",
      services.map(({ name, open }) => sample(open.now, { service: name })),
    ),
    gaugeFamily(
      "waggle_requests_queued",
      "Requests in the queue until a task is free",
      services.map(({ name, queue }) => sample(queue.now, { service: name })),
    ),
    ...taskFamilies(tasks.series),
  ];
}

type CappedSeries<T> = { readonly series: readonly T[]; readonly leftOut: number };

function entrySeries(
  services: readonly ServiceTraffic[],
  nodeNames: ReadonlyMap<string, string>,
): CappedSeries<{ readonly labels: MetricLabels; readonly counts: Counts }> {
  const pairs = services.reduce((sum, { entries }) => sum + entries.length, 0);
  if (pairs > maxSeries) {
    const byService = services.map(({ name, counts }) => ({ labels: { service: name, node: "" }, counts }));
    return { series: byService, leftOut: pairs };
  }
  const series = services.flatMap(({ name, entries }) => {
    // A node that was removed and joined again has two ids and one name.
    const byNode = Map.groupBy(entries, ({ nodeId }) => nodeNames.get(nodeId) ?? "");
    return [...byNode].map(([node, same]) => ({ labels: { service: name, node }, counts: sumCounts(same) }));
  });
  return { series, leftOut: 0 };
}

type LabelledTask = { readonly labels: MetricLabels; readonly task: TaskTraffic };

function taskSeries(
  services: readonly ServiceTraffic[],
  targets: readonly MetricTarget[],
): CappedSeries<LabelledTask> {
  if (targets.length > maxSeries) return { series: [], leftOut: targets.length };
  const byId = new Map(services.flatMap(({ tasks }) => tasks.map((task) => [task.id, task] as const)));
  const series = targets.flatMap(({ id, service, task: name, node }) => {
    const task = byId.get(id);
    return task === undefined ? [] : [{ labels: { service, task: name, node }, task }];
  });
  return { series, leftOut: 0 };
}

function taskFamilies(tasks: readonly LabelledTask[]): MetricFamily[] {
  return [
    counterFamily(
      "waggle_task_attempts_total",
      "Attempts on the task or server",
      tasks.map(({ labels, task }) => sample(task.counts.attempts, labels)),
    ),
    counterFamily(
      "waggle_task_failures_total",
      "Failed attempts: connection failed or broke, broke while the request body was sent, response timeout, 5xx response",
      tasks.flatMap(({ labels, task: { counts } }) => [
        sample(counts.connectErrors, { ...labels, reason: "connection" }),
        sample(counts.responseErrors, { ...labels, reason: "sending" }),
        sample(counts.timeouts, { ...labels, reason: "timeout" }),
        sample(counts.responses5xx, { ...labels, reason: "5xx" }),
      ]),
    ),
    gaugeFamily(
      "waggle_task_requests_waiting",
      "Requests waiting for response headers of the task",
      tasks.map(({ labels, task }) => sample(task.open.now, labels)),
    ),
    gaugeFamily(
      "waggle_task_ejected",
      "Isolates that eject the task now, because its attempts fail",
      tasks.map(({ labels, task }) => sample(task.ejectedBy, labels)),
    ),
  ];
}

/** Time to response headers by service, with one bound for each doubling from 1 ms to 131 s. */
function durationHistogram(services: readonly ServiceTraffic[]): MetricFamily {
  const name = "waggle_request_duration_seconds";
  return {
    name,
    help: "Time to response headers",
    type: "histogram",
    values: services.flatMap(({ name: service, latency, counts }) => [
      ...cumulativeBuckets(latency).map(([le, value]) => ({
        metricName: `${name}_bucket`,
        labels: { service, le },
        value,
      })),
      { metricName: `${name}_sum`, labels: { service }, value: counts.tookMs / 1_000 },
      { metricName: `${name}_count`, labels: { service }, value: latency.count },
    ]),
  };
}

function cumulativeBuckets({ buckets, count }: LatencySummary): (readonly [le: string, value: number])[] {
  const counts = new Map<number, number>();
  for (let at = 0; at < buckets.length; at += 2) counts.set(buckets[at] ?? -1, buckets[at + 1] ?? 0);
  let below = 0;
  const bounds = boundsMs.flatMap((boundMs, bucket) => {
    below += counts.get(bucket) ?? 0;
    return bucket % histogramBucketsPerDoubling === 0 ? [[String(boundMs / 1_000), below] as const] : [];
  });
  return [...bounds, ["+Inf", count]];
}

const includeZeroAlways = () => true;
const includeZeroNever = () => false;
/** Refusals that any service may have. */
const isCommonRefusal = (code: string) => code === "502" || code === "503" || code === "504";

/**
 * @param includesZero codes to include with a value of 0, so that a rate is known from the first request on
 */
function samplesByCode(
  codes: readonly (readonly [code: string, counter: CounterName])[],
  counts: Partial<Counts>,
  labels: MetricLabels,
  includesZero: (code: string) => boolean,
): MetricSample[] {
  return codes.flatMap(([code, counter]) => {
    const value = counts[counter] ?? 0;
    return value === 0 && !includesZero(code) ? [] : [sample(value, { ...labels, code })];
  });
}

function sumCounts(entries: readonly EntryTraffic[]): Counts {
  const sum: Record<string, number> = {};
  for (const { counts } of entries) {
    for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum as Counts;
}
