// Traffic in HAProxy's columns. Telemetry counts everything, so a missing value is 0.

import { snapshotOrNull } from "../control/remote-telemetry.ts";
import { type Counts, counterNames } from "../telemetry/counters.ts";
import type { Snapshot, TrafficMetrics } from "../telemetry/snapshot.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";
import { emptyTraffic, type ProxyValues, type StatsTraffic } from "./input.ts";
import type { ColumnValues } from "./report.ts";
import { seconds } from "./time.ts";

/**
 * Reads current traffic, with counters that never fall; empty columns if telemetry cannot be reached.
 *
 * @param isLive for a person's page; false for a program, which reads on and on
 */
export async function readStatsTraffic(telemetry: TelemetryApi, isLive: boolean): Promise<StatsTraffic> {
  const snapshot = await snapshotOrNull(telemetry, { saveFirst: true, live: isLive });
  return snapshot === null ? emptyTraffic : statsTraffic(snapshot);
}

/** @see docs/spec.md Z11 */
export function statsTraffic(snapshot: Snapshot): StatsTraffic {
  const { services, nodes, strays, atMs } = snapshot;
  const serviceById = new Map(services.map((service) => [service.id, service]));
  const nodeById = new Map(nodes.map((node) => [node.id, node]));
  const proxyValues = (
    requests: readonly TrafficMetrics[],
    tasks: readonly TrafficMetrics[],
  ): ProxyValues => ({
    frontend: frontendValues(sumTraffic(requests)),
    backend: backendValues(sumTraffic(requests), sumTraffic(tasks), atMs),
  });
  const allTasks = services.flatMap(({ tasks }) => tasks);
  return {
    mesh: meshValues(
      proxyValues([...nodes, ...strays.filter(({ nodeId }) => nodeId === "")], allTasks),
      nodes,
    ),
    service: (id) => {
      const service = serviceById.get(id);
      return service === undefined ? proxyValues([], []) : proxyValues([service], service.tasks);
    },
    server: (serviceId, name) => {
      const tasks = serviceById.get(serviceId)?.tasks.filter((task) => task.name === name) ?? [];
      return serverValues(sumTraffic(tasks), atMs);
    },
    node: (id) => {
      const node = nodeById.get(id);
      return nodeValues(sumTraffic(node === undefined ? [] : [node]), atMs);
    },
  };
}

/** A node is selected once for each request, however many attempts the request needs. */
function meshValues({ frontend, backend }: ProxyValues, nodes: readonly TrafficMetrics[]): ProxyValues {
  return { frontend, backend: { ...backend, lbtot: sumTraffic(nodes).counts.requests } };
}

type TrafficSum = {
  readonly counts: Counts;
  readonly open: TrafficMetrics["open"];
  readonly queue: TrafficMetrics["queue"];
  readonly rate: TrafficMetrics["rate"];
  readonly responseCount: number;
  readonly avgMs: number;
  /** Time of the last request; 0 without one. */
  readonly lastMs: number;
};

/** A maximum is the largest of the parts': the maximum of their sum is not known. */
function sumTraffic(parts: readonly TrafficMetrics[]): TrafficSum {
  const sumGauges = (gaugeOf: (part: TrafficMetrics) => TrafficMetrics["open"]) => ({
    now: parts.reduce((sum, part) => sum + gaugeOf(part).now, 0),
    max: parts.reduce((max, part) => Math.max(max, gaugeOf(part).max), 0),
  });
  const responseCount = parts.reduce((sum, { latency }) => sum + latency.count, 0);
  const totalMs = parts.reduce((sum, { latency }) => sum + latency.avgMs * latency.count, 0);
  const total = (name: keyof Counts) => parts.reduce((sum, { counts }) => sum + counts[name], 0);
  return {
    counts: Object.fromEntries(counterNames.map((name) => [name, total(name)])) as Counts,
    open: sumGauges(({ open }) => open),
    queue: sumGauges(({ queue }) => queue),
    rate: sumGauges(({ rate }) => rate),
    responseCount,
    avgMs: responseCount === 0 ? 0 : totalMs / responseCount,
    lastMs: Math.max(0, ...parts.map(({ lastMs }) => lastMs)),
  };
}

/** Requests of clients. */
function frontendValues(sum: TrafficSum): ColumnValues {
  const { counts } = sum;
  const { rate, rate_max } = gaugeValues(sum);
  return {
    ...gaugeValues(sum),
    ...responseValues(sum),
    stot: counts.requests,
    ereq: counts.refused400,
    req_tot: counts.requests,
    req_rate: rate ?? 0,
    req_rate_max: rate_max ?? 0,
  };
}

/** The same requests, with their attempts on servers. */
function backendValues(sum: TrafficSum, tasks: TrafficSum, atMs: number): ColumnValues {
  return {
    ...gaugeValues(sum),
    ...responseValues(sum),
    ...queueValues(sum, atMs),
    ...attemptValues(tasks),
    stot: sum.counts.requests,
    req_tot: sum.counts.requests,
    // HAProxy counts a request without a usable server as a connection error of its backend.
    econ: tasks.counts.connectErrors + sum.counts.refused503 + sum.counts.refusedConnections,
    wretr: sum.counts.retries,
    wredis: sum.counts.redispatches,
  };
}

function serverValues(sum: TrafficSum, atMs: number): ColumnValues {
  return {
    ...gaugeValues(sum),
    ...responseValues(sum),
    ...queueValues(sum, atMs),
    ...attemptValues(sum),
    stot: sum.counts.attempts,
    req_tot: sum.counts.requests,
    wredis: sum.counts.redispatches,
  };
}

function nodeValues(sum: TrafficSum, atMs: number): ColumnValues {
  return {
    ...gaugeValues(sum),
    ...responseValues(sum),
    ...queueValues(sum, atMs),
    stot: sum.counts.requests,
    lbtot: sum.counts.requests,
    req_tot: sum.counts.requests,
  };
}

function gaugeValues({ open, rate }: TrafficSum): {
  readonly [Name in "scur" | "smax" | "rate" | "rate_max"]: number;
} {
  return {
    scur: open.now,
    smax: Math.max(open.max, open.now),
    rate: Math.round(rate.now),
    rate_max: Math.ceil(Math.max(rate.max, rate.now)),
  };
}

function responseValues({ counts }: TrafficSum): ColumnValues {
  return {
    bin: counts.bytesIn,
    bout: counts.bytesOut,
    hrsp_1xx: counts.responses1xx,
    hrsp_2xx: counts.responses2xx,
    hrsp_3xx: counts.responses3xx,
    hrsp_4xx: counts.responses4xx,
    hrsp_5xx: counts.responses5xx,
    hrsp_other: counts.responsesOther,
  };
}

function queueValues({ queue, responseCount, avgMs, lastMs }: TrafficSum, atMs: number): ColumnValues {
  return {
    qcur: queue.now,
    qmax: Math.max(queue.max, queue.now),
    // HAProxy's value for never.
    lastsess: lastMs === 0 ? -1 : seconds(atMs - lastMs),
    ...(responseCount > 0 && { rtime: Math.round(avgMs) }),
  };
}

function attemptValues({ counts }: TrafficSum): ColumnValues {
  return {
    lbtot: counts.attempts,
    econ: counts.connectErrors,
    eresp: counts.responseErrors + counts.timeouts,
  };
}
