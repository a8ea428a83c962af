// Making the report: the balancer over the nodes first, then every published service.

import type { StatsInput } from "./input.ts";
import { nodesProxy } from "./nodes-proxy.ts";
import { proxyIds } from "./proxy-id.ts";
import type { StatsProxy, StatsReport } from "./report.ts";
import { serviceProxy } from "./service-proxy.ts";
import { seconds } from "./time.ts";

/** @see docs/spec.md Z5-Z9 */
export function makeReport(input: StatsInput): StatsReport {
  const { info, nowMs } = input;
  return {
    mesh: {
      name: info.name,
      tableVersion: info.tableVersion,
      uptimeS: seconds(nowMs - info.createdAtMs),
      nodes: info.nodes,
      tasks: info.tasks,
    },
    proxies: [nodesProxy(input), ...serviceProxies(input)],
  };
}

/** Those that publish a port, by name. */
function serviceProxies(input: StatsInput): readonly StatsProxy[] {
  const oldestFirst = input.services.toSorted(
    (a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1),
  );
  const iids = proxyIds(oldestFirst.map(({ id }) => id));
  const tasks = Map.groupBy(input.tasks, ({ serviceId }) => serviceId);
  const nodes = new Map(input.nodes.map((node) => [node.id, node]));
  return input.services
    .filter(({ ports }) => ports.length > 0)
    .toSorted((a, b) => (a.spec.name < b.spec.name ? -1 : 1))
    .map((service) =>
      serviceProxy({
        service,
        iid: iids.get(service.id) ?? 0,
        tasks: tasks.get(service.id) ?? [],
        nodes,
        traffic: input.traffic,
        nowMs: input.nowMs,
      }),
    );
}
