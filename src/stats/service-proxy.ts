// A published service as a proxy, whose servers are its slots and its static servers.

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Task } from "../domain/model/task.ts";
import type { Policy } from "../domain/table/policy.ts";
import type { Share, TableOptions } from "../domain/table/table.ts";
import { isTcpService } from "../domain/table/tcp-options.ts";
import type { ServiceView } from "../registry/api.ts";
import type { StatsTraffic } from "./input.ts";
import { proxyRows, type ServerRow } from "./proxy-rows.ts";
import type { ColumnValues, StatsProxy } from "./report.ts";
import { serverRow } from "./server-row.ts";
import { slotRows } from "./slot-rows.ts";

export type ServiceProxyInput = {
  readonly service: ServiceView;
  readonly iid: number;
  /** Of the service; includes ended tasks. */
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  readonly options: TableOptions;
  readonly policy: Policy;
  /** How the data plane balances to each task and server in the table, by id. */
  readonly shares: ReadonlyMap<string, Share>;
  readonly nodes: ReadonlyMap<string, MeshNode>;
  readonly traffic: StatsTraffic;
  readonly nowMs: number;
};

/** @see docs/spec.md Z8-Z10 */
export function serviceProxy(input: ServiceProxyInput): StatsProxy {
  const { service, iid, options, policy, traffic } = input;
  const mode = isTcpService(input) ? "tcp" : "http";
  const head = { name: service.spec.name, iid };
  const servers = [
    ...slotRows(input).sort(byName),
    ...input.servers.map((server) => serverRow(server, input)).sort(byName),
  ].map((server) => withOptions(server, options, input.nowMs));
  const ports = service.ports.map(({ published, target }) => `${published}:${target}`).join(", ");
  const sticky = options.sticky === undefined ? {} : { cookie: options.sticky };
  return {
    ...head,
    what: `service, mode ${mode}, ports ${ports}`,
    rows: proxyRows({ ...head, mode }, servers, traffic.service(service.id), { ...sticky, algo: policy }),
  };
}

/** Adds the service's options; a server's own values take precedence. */
function withOptions(server: ServerRow, options: TableOptions, nowMs: number): ServerRow {
  const { maxconn, queue, slowStartMs } = options;
  const limit = server.share?.maxconn ?? maxconn;
  const ageMs = nowMs - (server.share?.sinceMs ?? Number.NEGATIVE_INFINITY);
  const values: ColumnValues = {
    ...(limit !== undefined && { slim: limit }),
    ...(queue !== undefined && queue !== "unlimited" && { qlimit: queue }),
    ...(slowStartMs !== undefined &&
      ageMs < slowStartMs && { throttle: Math.max(1, Math.floor((ageMs * 100) / slowStartMs)) }),
    ...server.values,
  };
  return { ...server, values };
}

const { compare } = new Intl.Collator("en", { numeric: true });
const byName = (a: ServerRow, b: ServerRow) => compare(a.name, b.name);
