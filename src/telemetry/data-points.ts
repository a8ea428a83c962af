// Turns a delta into data points of Workers Analytics Engine, which keeps them three months for SQL.

import { type CounterName, counterIndex } from "./counters.ts";
import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { newBuckets, percentile } from "./histogram.ts";
import { addSparse, newTally } from "./metrics.ts";

/** A data point of the platform. SQL names blobs and doubles by position: their order is append-only. */
type DataPoint = {
  indexes: [string];
  blobs: string[];
  doubles: number[];
};

/** Below half of the platform's limit for one invocation (250), which may send a second delta. */
const maxPoints = 120;

/** double1 to double15; double16 to double18 are p50, p95 and p99 in milliseconds. */
const doubleColumns: readonly CounterName[] = [
  "requests",
  "responses2xx",
  "responses3xx",
  "responses4xx",
  "responses5xx",
  "bytesIn",
  "bytesOut",
  "attempts",
  "retries",
  "hedges",
  "hedgesWon",
  "ejections",
  "connectErrors",
  "timeouts",
  "tookMs",
];

/** Sorted by requests, most first. Blobs: `task` or `entry`, colo, service, node id, task, isolate. */
export function dataPoints({ colo, isolate, tasks, entries }: Delta): DataPoint[] {
  const points = [
    ...tasks.map((task) => {
      const { serviceName, nodeId, name } = task;
      return toDataPoint(serviceName, ["task", colo, serviceName, nodeId, name, isolate], task);
    }),
    ...entries.map((entry) => {
      const service = entry.service?.name ?? "";
      return toDataPoint(service, ["entry", colo, service, entry.node?.id ?? "", "", isolate], entry);
    }),
  ];
  return points.sort((a, b) => requestsOrAttempts(b) - requestsOrAttempts(a)).slice(0, maxPoints);
}

function toDataPoint(index: string, blobs: string[], part: TaskDelta | EntryDelta): DataPoint {
  const { counts } = newTally();
  addSparse(counts, part.counts);
  const buckets = newBuckets();
  addSparse(buckets, part.buckets);
  return {
    // An index may have 96 bytes, and a character up to 3 bytes.
    indexes: [index.slice(0, 32)],
    blobs,
    doubles: [
      ...doubleColumns.map((name) => counts[counterIndex[name]] ?? 0),
      ...[0.5, 0.95, 0.99].map((share) => percentile(buckets, share)),
    ],
  };
}

/** The larger of requests and attempts. */
function requestsOrAttempts({ doubles }: DataPoint): number {
  return Math.max(doubles[0] ?? 0, doubles[7] ?? 0);
}
