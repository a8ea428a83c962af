// The traffic data that the pages show, read from telemetry.

import { snapshotOrNull } from "../control/remote-telemetry.ts";
import { combinedRates, type Rates } from "../telemetry/rates.ts";
import type {
  NodeTraffic,
  ServiceTraffic,
  Snapshot,
  SnapshotFilter,
  TaskTraffic,
} from "../telemetry/snapshot.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";
import { failingServices, isFailing } from "../telemetry/traffic-problems.ts";

/** Current rates and the trend of the last ten minutes, for the overview and the lists. */
export type TrafficView = {
  /** All services together, without requests that match no service. */
  readonly total: Rates;
  readonly trend: readonly number[];
  /** A sustained share of the requests to some service fails. */
  readonly isFailing: boolean;
  /** Ids of the tasks and static servers that fail a sustained share of their attempts. */
  readonly failingTargets: ReadonlySet<string>;
  /** How old these numbers are, milliseconds: routers report every half minute while no page is open. */
  readonly ageMs: number;
  readonly serviceById: ReadonlyMap<string, ServiceTraffic>;
  readonly nodeById: ReadonlyMap<string, NodeTraffic>;
};

/** Numbers older than this are shown with their age, milliseconds. While a page is open they are younger. */
export const agedTrafficMs = 5_000;

/** Reads a snapshot, and has routers report every second meanwhile. Null if telemetry is unavailable: the page then shows everything else. */
export type TrafficReader = (filter: SnapshotFilter) => Promise<Snapshot | null>;

export function trafficReader(telemetry: TelemetryApi): TrafficReader {
  return (filter) => snapshotOrNull(telemetry, { ...filter, entries: false, live: true });
}

export function trafficView({ services, nodes, atMs, completeMs }: Snapshot): TrafficView {
  return {
    ageMs: atMs - completeMs,
    total: combinedRates(services),
    trend: sumOfTrends(services),
    isFailing: services.some(({ recent }) => isFailing(recent)),
    failingTargets: new Set(failingServices(services).flatMap(({ targets }) => targets.map(({ id }) => id))),
    serviceById: new Map(services.map((service) => [service.id, service])),
    nodeById: new Map(nodes.map((node) => [node.id, node])),
  };
}

function sumOfTrends(services: readonly ServiceTraffic[]): readonly number[] {
  const length = Math.max(0, ...services.map(({ trend }) => trend.length));
  return Array.from({ length }, (_, step) =>
    services.reduce((sum, { trend }) => sum + (trend[step] ?? 0), 0),
  );
}

/** The traffic of each task and static server; empty without a snapshot. */
export function tasksById(snapshot: Snapshot | null): ReadonlyMap<string, TaskTraffic> {
  return new Map(snapshot?.services.flatMap(({ tasks }) => tasks.map((task) => [task.id, task])));
}
