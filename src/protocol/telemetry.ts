// A mesh's traffic as GET /mesh/telemetry answers it, for whoever reads it from outside.

import { z } from "zod";

const timestampMs = z.number();
const countSchema = z.number().nonnegative();

export const TrafficGauge = z.object({ now: z.number(), max: z.number() });
export type TrafficGauge = z.infer<typeof TrafficGauge>;

export const TrafficLatency = z.object({
  count: countSchema,
  avgMs: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
  /** As index, count, index, count; bucket 0 is up to 1 ms, and each bound the fourth root of two times the one before. */
  buckets: z.array(z.number()),
});

/** How it goes now, over ten to twenty seconds. */
export const RecentTraffic = z.object({
  seconds: z.number(),
  requests: countSchema,
  failed: countSchema,
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
});
export type RecentTraffic = z.infer<typeof RecentTraffic>;

/** What every counter means, src/telemetry/counters.ts says. */
export const TrafficCounts = z.record(z.string(), countSchema);

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

export const TrafficTimeSeries = z.object({
  stepMs: z.number(),
  startMs: timestampMs,
  requests: numbers,
  failed: numbers,
  p50Ms: numbers,
  p95Ms: numbers,
  p99Ms: numbers,
  buckets: z.array(numbers).nullable(),
});
export type TrafficTimeSeries = z.infer<typeof TrafficTimeSeries>;

const series = z.object({ tens: TrafficTimeSeries, minutes: TrafficTimeSeries }).nullable();

export const TaskTrafficReport = z.object({
  id: z.string(),
  name: z.string(),
  slot: z.number(),
  nodeId: z.string(),
  ...traffic,
  series,
  ejectedBy: z.number(),
});
export type TaskTrafficReport = z.infer<typeof TaskTrafficReport>;

const entryTraffic = z.object({ nodeId: z.string(), ...traffic });

export const ServiceTrafficReport = z.object({
  id: z.string(),
  name: z.string(),
  ...traffic,
  series,
  tasks: z.array(TaskTrafficReport),
  entries: z.array(entryTraffic),
});
export type ServiceTrafficReport = z.infer<typeof ServiceTrafficReport>;

export const NodeTrafficReport = z.object({ id: z.string(), name: z.string(), ...traffic, series });
export type NodeTrafficReport = z.infer<typeof NodeTrafficReport>;

const taskSeenTraffic = z.object({
  taskId: z.string(),
  serviceId: z.string(),
  ...traffic,
  ejectedBy: z.number(),
});

export const MeshTrafficReport = z.object({
  /** The mesh's own clock, against which every moment here is to be read. */
  atMs: timestampMs,
  sinceMs: timestampMs,
  services: z.array(ServiceTrafficReport),
  nodes: z.array(NodeTrafficReport),
  /** Requests for no service of the mesh. */
  strays: z.array(entryTraffic),
  places: z.array(
    z.object({
      place: z.string(),
      tasks: z.array(taskSeenTraffic),
      isolates: z.array(z.object({ id: z.string(), lastMs: timestampMs, tasks: z.array(taskSeenTraffic) })),
    }),
  ),
});
export type MeshTrafficReport = z.infer<typeof MeshTrafficReport>;
