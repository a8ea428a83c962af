// A delta as data points of Workers Analytics Engine: what is kept there for three months, to be asked in SQL.

import { type CounterName, counterIndex } from "./counters.ts";
import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { newBuckets, percentile } from "./histogram.ts";
import { addSparse, newTally } from "./metrics.ts";

/** As the platform reads it; places of blobs and doubles are what they are asked by, so they stay. */
export type DataPoint = {
  indexes: [string];
  blobs: string[];
  doubles: number[];
};

/** One invocation may write so many (250), and this one may have had a delta to send before. */
const maxPoints = 120;

/** double1 to double15; double16 and on are p50, p95 and p99 in milliseconds. */
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

/** Those with most requests first. blob1 is `task` or `entry`; then colo, service, node's id, task, isolate. */
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
    // An index may have 96 bytes, and a character three of them.
    indexes: [index.slice(0, 32)],
    blobs,
    doubles: [
      ...doubleColumns.map((name) => counts[counterIndex[name]] ?? 0),
      ...[0.5, 0.95, 0.99].map((share) => percentile(buckets, share)),
    ],
  };
}

/** Requests, or attempts where there are more. */
function requestsOrAttempts({ doubles }: DataPoint): number {
  return Math.max(doubles[0] ?? 0, doubles[7] ?? 0);
}
