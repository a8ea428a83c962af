// Metrics of what was counted of traffic.
//
// How many series there are is bounded: classes of status codes instead of codes, latencies by service alone, and where
// tasks or pairs of service and node are too many, those are left out and `waggle_metrics_left_out` says how many.

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

/** Counters of a service, one family each. */
const serviceCounters: readonly (readonly [name: string, counter: CounterName, help: string])[] = [
  ["waggle_received_bytes_total", "bytesIn", "Bytes of request bodies, where Content-Length says so"],
  ["waggle_sent_bytes_total", "bytesOut", "Bytes of response bodies, where Content-Length says so"],
  ["waggle_attempts_total", "attempts", "Times a task was asked"],
  ["waggle_retries_total", "retries", "Further tasks asked because one failed"],
  ["waggle_hedges_total", "hedges", "Further tasks asked because one kept a request waiting"],
  ["waggle_hedges_won_total", "hedgesWon", "Answers of those further tasks that came first"],
  ["waggle_ejections_total", "ejections", "Times an isolate began to pass a task over"],
  ["waggle_panics_total", "panics", "Requests sent while so many tasks failed that all were used"],
];

/** @param endpoints what the registry knows: others' traffic is that of the past, and would never leave the list */
export function trafficFamilies(snapshot: Snapshot, endpoints: readonly MetricTarget[]): MetricFamily[] {
  const { services, nodes, strays } = snapshot;
  const nodeNames = new Map(nodes.map(({ id, name }) => [id, name]));
  const entries = entrySeries(services, nodeNames);
  const tasks = taskSeries(services, endpoints);
  return [
    gaugeFamily("waggle_metrics_left_out", "What is not told one by one, because it is too many", [
      sample(Math.max(0, entries.leftOut), { what: "entries" }),
      sample(Math.max(0, tasks.leftOut), { what: "tasks" }),
    ]),
    counterFamily(
      "waggle_requests_total",
      "Requests answered, by service, the node they came in at, and class of status",
      entries.series.flatMap(({ labels, counts }) =>
        samplesByCode(responseClassCounters, counts, labels, includeZeroAlways),
      ),
    ),
    counterFamily(
      "waggle_refused_requests_total",
      "Requests the mesh itself refused, by status; without a service: for none of the mesh",
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
      "Requests sent on whose answer has not begun",
      services.map(({ name, open }) => sample(open.now, { service: name })),
    ),
    gaugeFamily(
      "waggle_requests_queued",
      "Requests held back until a task may take them",
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
    const told = services.map(({ name, counts }) => ({ labels: { service: name, node: "" }, counts }));
    return { series: told, leftOut: pairs };
  }
  const told = services.flatMap(({ name, entries }) => {
    // A node that was removed and joined anew has its name again.
    const byNode = Map.groupBy(entries, ({ nodeId }) => nodeNames.get(nodeId) ?? "");
    return [...byNode].map(([node, same]) => ({ labels: { service: name, node }, counts: sumCounts(same) }));
  });
  return { series: told, leftOut: 0 };
}

type LabelledTask = { readonly labels: MetricLabels; readonly task: TaskTraffic };

function taskSeries(
  services: readonly ServiceTraffic[],
  endpoints: readonly MetricTarget[],
): CappedSeries<LabelledTask> {
  if (endpoints.length > maxSeries) return { series: [], leftOut: endpoints.length };
  const byId = new Map(services.flatMap(({ tasks }) => tasks.map((task) => [task.id, task] as const)));
  const told = endpoints.flatMap(({ id, service, task: name, node }) => {
    const task = byId.get(id);
    return task === undefined ? [] : [{ labels: { service, task: name, node }, task }];
  });
  return { series: told, leftOut: 0 };
}

function taskFamilies(tasks: readonly LabelledTask[]): MetricFamily[] {
  return [
    counterFamily(
      "waggle_task_attempts_total",
      "Times the task, or server, was asked",
      tasks.map(({ labels, task }) => sample(task.counts.attempts, labels)),
    ),
    counterFamily(
      "waggle_task_failures_total",
      "Attempts that came to no good answer: connection not made or broken, broken while a body was sent, no answer in time, answer 5xx",
      tasks.flatMap(({ labels, task: { counts } }) => [
        sample(counts.connectErrors, { ...labels, reason: "connection" }),
        sample(counts.responseErrors, { ...labels, reason: "sending" }),
        sample(counts.timeouts, { ...labels, reason: "timeout" }),
        sample(counts.responses5xx, { ...labels, reason: "5xx" }),
      ]),
    ),
    gaugeFamily(
      "waggle_task_requests_waiting",
      "Requests sent to the task whose answer has not begun",
      tasks.map(({ labels, task }) => sample(task.open.now, labels)),
    ),
    gaugeFamily(
      "waggle_task_ejected",
      "Isolates that pass the task over now, because it failed under their hands",
      tasks.map(({ labels, task }) => sample(task.ejectedBy, labels)),
    ),
  ];
}

/** By service: how long answers took to begin. One bound for each doubling, 1 ms to 131 s. */
function durationHistogram(services: readonly ServiceTraffic[]): MetricFamily {
  const name = "waggle_request_duration_seconds";
  return {
    name,
    help: "Time until an answer began",
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
/** Refusals that any service may come to. */
const isCommonRefusal = (code: string) => code === "502" || code === "503" || code === "504";

/** @param evenZero codes told also where nothing was counted, so that a rate is known from the first one on */
function samplesByCode(
  codes: readonly (readonly [code: string, counter: CounterName])[],
  counts: Partial<Counts>,
  labels: MetricLabels,
  evenZero: (code: string) => boolean,
): MetricSample[] {
  return codes.flatMap(([code, counter]) => {
    const value = counts[counter] ?? 0;
    return value === 0 && !evenZero(code) ? [] : [sample(value, { ...labels, code })];
  });
}

function sumCounts(entries: readonly EntryTraffic[]): Counts {
  const sum: Record<string, number> = {};
  for (const { counts } of entries) {
    for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum as Counts;
}
