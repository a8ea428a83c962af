// A published service as a proxy: its slots are servers of it, whichever task is in each, and its static servers.

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Task } from "../domain/model/task.ts";
import type { Policy } from "../domain/table/policy.ts";
import type { Share, TableOptions } from "../domain/table/table.ts";
import type { ServiceView } from "../registry/api.ts";
import type { StatsTraffic } from "./input.ts";
import { proxyRows, type ServerRow } from "./proxy-rows.ts";
import type { ColumnValues, StatsProxy } from "./report.ts";
import { serverRow } from "./server-row.ts";
import { slotRows } from "./slot-rows.ts";

export type ServiceProxyInput = {
  readonly service: ServiceView;
  readonly iid: number;
  /** The service's own, history included. */
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  /** How the data plane balances it, and how it picks each task and server it sends to, by id. */
  readonly options: TableOptions;
  readonly policy: Policy;
  readonly shares: ReadonlyMap<string, Share>;
  readonly nodes: ReadonlyMap<string, MeshNode>;
  readonly traffic: StatsTraffic;
  readonly nowMs: number;
};

/** @see docs/spec.md Z8-Z10 */
export function serviceProxy(input: ServiceProxyInput): StatsProxy {
  const { service, iid, servers, options, policy, traffic } = input;
  const head = { name: service.spec.name, iid };
  const lines = [
    ...slotRows(input).sort(byName),
    ...servers.map((server) => serverRow(server, input)).sort(byName),
  ].map((line) => withOptions(line, options, input.nowMs));
  const ports = service.ports.map(({ published, target }) => `${published}:${target}`).join(", ");
  const sticky = options.sticky === undefined ? {} : { cookie: options.sticky };
  return {
    ...head,
    what: `service, mode http, ports ${ports}`,
    rows: proxyRows(head, lines, traffic.service(service.id), { ...sticky, algo: policy }),
  };
}

/** What the service says of all its servers, where a server says nothing else. */
function withOptions(line: ServerRow, options: TableOptions, nowMs: number): ServerRow {
  const { maxconn, queue, slowStartMs } = options;
  const limit = line.share?.maxconn ?? maxconn;
  const warmMs = nowMs - (line.share?.sinceMs ?? Number.NEGATIVE_INFINITY);
  const values: ColumnValues = {
    ...(limit !== undefined && { slim: limit }),
    ...(queue !== undefined && { qlimit: queue }),
    ...(slowStartMs !== undefined &&
      warmMs < slowStartMs && { throttle: Math.max(1, Math.floor((warmMs * 100) / slowStartMs)) }),
    ...line.values,
  };
  return { ...line, values };
}

const { compare } = new Intl.Collator("en", { numeric: true });
const byName = (a: ServerRow, b: ServerRow) => compare(a.name, b.name);
