// Traffic: what is measured of the mesh's requests, as pages and tables show it.

import { snapshotOrNull } from "../control/remote-telemetry.ts";
import { combinedRates, type Rates } from "../telemetry/rates.ts";
import type { NodeTraffic, ServiceTraffic, Snapshot, SnapshotFilter } from "../telemetry/snapshot.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";

/** What the overview and the lists show: how it goes now, and the last ten minutes as a line. */
export type TrafficView = {
  /** Of all services together; requests for none of them are not in it. */
  readonly total: Rates;
  readonly trend: readonly number[];
  readonly serviceById: ReadonlyMap<string, ServiceTraffic>;
  readonly nodeById: ReadonlyMap<string, NodeTraffic>;
};

/** Reads snapshots; null when there is none to be had right now, which takes nothing else from a page. */
export type TrafficReader = (filter: SnapshotFilter) => Promise<Snapshot | null>;

export function trafficReader(telemetry: TelemetryApi): TrafficReader {
  return (filter) => snapshotOrNull(telemetry, filter);
}

export function trafficView({ services, nodes }: Snapshot): TrafficView {
  return {
    total: combinedRates(services),
    trend: sumOfTrends(services),
    serviceById: new Map(services.map((service) => [service.id, service])),
    nodeById: new Map(nodes.map((node) => [node.id, node])),
  };
}

function sumOfTrends(services: readonly ServiceTraffic[]): readonly number[] {
  const longest = Math.max(0, ...services.map(({ trend }) => trend.length));
  return Array.from({ length: longest }, (_, step) =>
    services.reduce((so, { trend }) => so + (trend[step] ?? 0), 0),
  );
}
