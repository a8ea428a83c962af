// A mesh's traffic as GET /mesh/telemetry answers it, for whoever reads it from outside.

import { z } from "zod";

const epochMs = z.number();
const counter = z.number().nonnegative();

export const TrafficLevel = z.object({ now: z.number(), max: z.number() });
export type TrafficLevel = z.infer<typeof TrafficLevel>;

export const TrafficLatency = z.object({
  count: counter,
  avgMs: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
  /** As index, count, index, count; bucket 0 is up to 1 ms, and each bound the fourth root of two times the one before. */
  buckets: z.array(z.number()),
});

/** How it goes now, over ten to twenty seconds. */
export const TrafficRecent = z.object({
  seconds: z.number(),
  requests: counter,
  failed: counter,
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
});
export type TrafficRecent = z.infer<typeof TrafficRecent>;

/** What every counter means, src/telemetry/counters.ts says. */
export const TrafficCounts = z.record(z.string(), counter);

const traffic = {
  counts: TrafficCounts,
  open: TrafficLevel,
  queue: TrafficLevel,
  rate: TrafficLevel,
  latency: TrafficLatency,
  recent: TrafficRecent.nullable(),
  trend: z.array(z.number()),
  firstMs: epochMs,
  lastMs: epochMs,
};

const numbers = z.array(z.number());

export const TrafficSteps = z.object({
  stepMs: z.number(),
  startMs: epochMs,
  requests: numbers,
  failed: numbers,
  p50Ms: numbers,
  p95Ms: numbers,
  p99Ms: numbers,
  buckets: z.array(numbers).nullable(),
});
export type TrafficSteps = z.infer<typeof TrafficSteps>;

const series = z.object({ tens: TrafficSteps, minutes: TrafficSteps }).nullable();

export const TaskTraffic = z.object({
  id: z.string(),
  name: z.string(),
  slot: z.number(),
  nodeId: z.string(),
  ...traffic,
  series,
  ejectedBy: z.number(),
});
export type TaskTraffic = z.infer<typeof TaskTraffic>;

const entry = z.object({ nodeId: z.string(), ...traffic });

export const ServiceTraffic = z.object({
  id: z.string(),
  name: z.string(),
  ...traffic,
  series,
  tasks: z.array(TaskTraffic),
  entries: z.array(entry),
});
export type ServiceTraffic = z.infer<typeof ServiceTraffic>;

export const NodeTraffic = z.object({ id: z.string(), name: z.string(), ...traffic, series });
export type NodeTraffic = z.infer<typeof NodeTraffic>;

const seen = z.object({ taskId: z.string(), serviceId: z.string(), ...traffic, ejectedBy: z.number() });

export const MeshTraffic = z.object({
  /** The mesh's own clock, against which every moment here is to be read. */
  atMs: epochMs,
  sinceMs: epochMs,
  services: z.array(ServiceTraffic),
  nodes: z.array(NodeTraffic),
  /** Requests for no service of the mesh. */
  strays: z.array(entry),
  places: z.array(
    z.object({
      place: z.string(),
      tasks: z.array(seen),
      isolates: z.array(z.object({ id: z.string(), lastMs: epochMs, tasks: z.array(seen) })),
    }),
  ),
});
export type MeshTraffic = z.infer<typeof MeshTraffic>;
