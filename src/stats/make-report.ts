// Builds the report: the balancer over the nodes first, then every published service.

import { byId, routingTableOf } from "../control/mesh-view.ts";
import type { StatsInput } from "./input.ts";
import { nodesProxy } from "./nodes-proxy.ts";
import { proxyIds } from "./proxy-id.ts";
import type { StatsProxy, StatsReport } from "./report.ts";
import { serviceProxy } from "./service-proxy.ts";
import { seconds } from "./time.ts";

/**
 * A mesh without nodes, where services only have static servers, has no proxy for nodes.
 *
 * @see docs/spec.md Z5-Z11
 * @see docs/decisions/0041-stats-page-reads-the-registry.md
 */
export function makeReport(input: StatsInput): StatsReport {
  const { info, nodes, nowMs } = input;
  return {
    mesh: {
      name: info.name,
      tableVersion: info.tableVersion,
      uptimeS: seconds(nowMs - info.createdAtMs),
      nodes: info.nodes,
      tasks: info.tasks,
    },
    proxies: [...(nodes.length > 0 ? [nodesProxy(input)] : []), ...serviceProxies(input)],
  };
}

/** The services that publish a port, by name. */
function serviceProxies(input: StatsInput): readonly StatsProxy[] {
  const { traffic, nowMs } = input;
  const oldestFirst = input.services.toSorted(
    (a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1),
  );
  const iids = proxyIds(oldestFirst.map(({ id }) => id));
  const tasks = Map.groupBy(input.tasks, ({ serviceId }) => serviceId);
  const servers = Map.groupBy(input.servers, ({ serviceId }) => serviceId);
  const nodes = byId(input.nodes);
  const routed = byId(routingTableOf(input).services);
  return input.services
    .filter(({ ports }) => ports.length > 0)
    .toSorted((a, b) => (a.spec.name < b.spec.name ? -1 : 1))
    .map((service) => {
      const tableService = routed.get(service.id);
      return serviceProxy({
        service,
        iid: iids.get(service.id) ?? 0,
        tasks: tasks.get(service.id) ?? [],
        servers: servers.get(service.id) ?? [],
        options: tableService?.options ?? {},
        policy: tableService?.policy ?? "roundrobin",
        shares: byId([...(tableService?.tasks ?? []), ...(tableService?.servers ?? [])]),
        nodes,
        traffic,
        nowMs,
      });
    });
}
