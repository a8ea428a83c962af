// The row of a static server, which fills nearly all of HAProxy's columns.

import { hostPort, type StaticServer } from "../domain/model/server.ts";
import { downtimeMs, lastCheckText, serverStatus } from "../domain/model/server-health.ts";
import { resultValues } from "./check-values.ts";
import type { ServerRow } from "./proxy-rows.ts";
import type { ColumnValues } from "./report.ts";
import type { ServiceProxyInput } from "./service-proxy.ts";
import { seconds } from "./time.ts";

/** @see docs/spec.md Z9 */
export function serverRow(
  server: StaticServer,
  { shares, options, traffic, nowMs }: ServiceProxyInput,
): ServerRow {
  const { id, serviceId, spec, admin } = server;
  return {
    name: spec.name,
    status: serverStatus(server),
    share: shares.get(id) ?? null,
    weight: spec.weight,
    backup: spec.backup,
    admin: { target: { kind: "server", ref: id }, state: admin },
    values: {
      ...traffic.server(serviceId, spec.name),
      ...healthValues(server, nowMs),
      ...(options.sticky !== undefined && { cookie: spec.cookie ?? spec.name }),
      ...(spec.maxConn > 0 && { slim: spec.maxConn }),
      addr: hostPort(spec.host, spec.port),
    },
  };
}

function healthValues(server: StaticServer, nowMs: number): ColumnValues {
  const { health, admin, spec } = server;
  if (health === null || spec.check === null) return {};
  return {
    // There are no checks in maintenance.
    ...(admin !== "maint" && resultValues(lastCheckText(server))),
    check_rise: spec.check.rise,
    check_fall: spec.check.fall,
    check_health: health.counter,
    chkfail: health.fails,
    chkdown: health.downs,
    lastchg: seconds(nowMs - health.sinceMs),
    downtime: seconds(downtimeMs(admin, health, nowMs)),
  };
}
