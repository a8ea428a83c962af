// What the telemetry counted, in HAProxy's columns. A snapshot that has nothing of a thing says 0 of it: it counts all.

import { snapshotOrNull } from "../control/remote-telemetry.ts";
import { type Counts, counterNames } from "../telemetry/counters.ts";
import type { TrafficMetrics as Counted, Snapshot } from "../telemetry/snapshot.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";
import { emptyTraffic, type ProxyValues, type StatsTraffic } from "./input.ts";
import type { ColumnValues } from "./report.ts";
import { seconds } from "./time.ts";

/**
 * What is known of traffic now, with counters that never fall; nothing while the telemetry cannot be had, as the rest can
 * be told without it.
 */
export async function readStatsTraffic(telemetry: TelemetryApi): Promise<StatsTraffic> {
  const snapshot = await snapshotOrNull(telemetry, { saveFirst: true });
  return snapshot === null ? emptyTraffic : statsTraffic(snapshot);
}

/** @see docs/spec.md Z11 */
export function statsTraffic(snapshot: Snapshot): StatsTraffic {
  const { services, nodes, strays, atMs } = snapshot;
  const serviceById = new Map(services.map((service) => [service.id, service]));
  const nodeById = new Map(nodes.map((node) => [node.id, node]));
  const rows = (counted: readonly Counted[], tasks: readonly Counted[]): ProxyValues => ({
    frontend: frontendValues(sumTraffic(counted)),
    backend: backendValues(sumTraffic(counted), sumTraffic(tasks), atMs),
  });
  const allTasks = services.flatMap(({ tasks }) => tasks);
  return {
    mesh: meshRows(rows([...nodes, ...strays.filter(({ nodeId }) => nodeId === "")], allTasks), nodes),
    service: (id) => {
      const service = serviceById.get(id);
      return service === undefined ? rows([], []) : rows([service], service.tasks);
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

/** Of nodes: they are picked once a request, however many tasks are asked for it. */
function meshRows({ frontend, backend }: ProxyValues, nodes: readonly Counted[]): ProxyValues {
  return { frontend, backend: { ...backend, lbtot: sumTraffic(nodes).counts.requests } };
}

type TrafficSum = {
  readonly counts: Counts;
  readonly open: Counted["open"];
  readonly queue: Counted["queue"];
  readonly rate: Counted["rate"];
  readonly responseCount: number;
  readonly avgMs: number;
  /** When it was last counted; 0: never. */
  readonly lastMs: number;
};

/** The most of several is at least the most of each; when each was at its most, nobody kept. */
function sumTraffic(parts: readonly Counted[]): TrafficSum {
  const level = (of: (part: Counted) => Counted["open"]) => ({
    now: parts.reduce((sum, part) => sum + of(part).now, 0),
    max: parts.reduce((most, part) => Math.max(most, of(part).max), 0),
  });
  const answers = parts.reduce((sum, { latency }) => sum + latency.count, 0);
  const waitedMs = parts.reduce((sum, { latency }) => sum + latency.avgMs * latency.count, 0);
  const total = (name: keyof Counts) => parts.reduce((sum, { counts }) => sum + counts[name], 0);
  return {
    counts: Object.fromEntries(counterNames.map((name) => [name, total(name)])) as Counts,
    open: level(({ open }) => open),
    queue: level(({ queue }) => queue),
    rate: level(({ rate }) => rate),
    responseCount: answers,
    avgMs: answers === 0 ? 0 : waitedMs / answers,
    lastMs: Math.max(0, ...parts.map(({ lastMs }) => lastMs)),
  };
}

/** What clients asked. */
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

/** The same requests, and what became of them at the servers. */
function backendValues(sum: TrafficSum, tasks: TrafficSum, atMs: number): ColumnValues {
  return {
    ...gaugeValues(sum),
    ...responseValues(sum),
    ...queueValues(sum, atMs),
    ...attemptValues(tasks),
    stot: sum.counts.requests,
    req_tot: sum.counts.requests,
    // HAProxy counts a request that found no server among its backend's connection errors.
    econ: tasks.counts.connectErrors + sum.counts.refused503,
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
    // HAProxy's word for never.
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
