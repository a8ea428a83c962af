// The response of GET /mesh/telemetry, for clients. test/unit/protocol/telemetry.test.ts ties it to the type
// that the mesh sends, src/telemetry/snapshot.ts.

import { z } from "zod";

const timestampMs = z.number();
const countSchema = z.number().nonnegative();

const TrafficGauge = z.object({ now: z.number(), max: z.number() });

const TrafficLatency = z.object({
  count: countSchema,
  avgMs: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
  /**
   * Index, count, index, count … Bucket 0 ends at 1 ms; each bound is the fourth root of two times the last.
   */
  buckets: z.array(z.number()),
});

/** Traffic of the last ten to twenty seconds, and the longer time by which errors are judged. */
const RecentTraffic = z.object({
  seconds: z.number(),
  requests: countSchema,
  failed: countSchema,
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
  errors: z.object({ seconds: z.number(), requests: countSchema, failed: countSchema }).optional(),
});

/** By name; src/telemetry/counters.ts defines the counters. */
const TrafficCounts = z.record(z.string(), countSchema);

const traffic = {
  counts: TrafficCounts,
  open: TrafficGauge,
  queue: TrafficGauge,
  rate: TrafficGauge,
  latency: TrafficLatency,
  recent: RecentTraffic.nullable(),
  trend: z.array(z.number()),
  firstMs: timestampMs,
  lastMs: timestampMs,
};

const numbers = z.array(z.number());

const TrafficTimeSeries = z.object({
  stepMs: z.number(),
  startMs: timestampMs,
  requests: numbers,
  failed: numbers,
  p50Ms: numbers,
  p95Ms: numbers,
  p99Ms: numbers,
  buckets: z.array(numbers).nullable(),
});

const series = z.object({ tens: TrafficTimeSeries, minutes: TrafficTimeSeries }).nullable();

const TaskTrafficReport = z.object({
  id: z.string(),
  name: z.string(),
  slot: z.number(),
  nodeId: z.string(),
  ...traffic,
  series,
  ejectedBy: z.number(),
});

const entryTraffic = z.object({ nodeId: z.string(), ...traffic });

const ServiceTrafficReport = z.object({
  id: z.string(),
  name: z.string(),
  ...traffic,
  series,
  tasks: z.array(TaskTrafficReport),
  entries: z.array(entryTraffic),
});

const NodeTrafficReport = z.object({ id: z.string(), name: z.string(), ...traffic, series });

const coloTaskTraffic = z.object({
  taskId: z.string(),
  serviceId: z.string(),
  ...traffic,
  ejectedBy: z.number(),
});

export const MeshTrafficReport = z.object({
  /** The mesh's clock, the reference for every `…Ms` here. */
  atMs: timestampMs,
  sinceMs: timestampMs,
  /** Requests that ended before this have been reported; of later ones perhaps not all. */
  completeMs: timestampMs,
  /** Kinds of which there are more than are kept apart; the rest counts as `(others)`. */
  leftOut: z.array(
    z.object({ kind: z.enum(["service", "node", "task", "entry", "colo"]), kept: z.number() }),
  ),
  services: z.array(ServiceTrafficReport),
  nodes: z.array(NodeTrafficReport),
  /** Requests that matched no service. */
  strays: z.array(entryTraffic),
  colos: z.array(
    z.object({
      colo: z.string(),
      tasks: z.array(coloTaskTraffic),
      isolates: z.array(z.object({ id: z.string(), lastMs: timestampMs, tasks: z.array(coloTaskTraffic) })),
    }),
  ),
});
export type MeshTrafficReport = z.infer<typeof MeshTrafficReport>;
