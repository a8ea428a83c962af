// The table of a service's static servers: state, checks, traffic, weight and downtime.

import { hostPort } from "../../domain/model/server.ts";
import { downtimeMs, lastCheckText, serverStatus } from "../../domain/model/server-health.ts";
import type { ServerView } from "../../registry/api.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import { serverDisplayStatus, statusMeanings } from "../display-status.ts";
import { formatDuration } from "../text.ts";
import { tasksById } from "../traffic.ts";
import type { DashboardView } from "../view.ts";
import { AdminStateLinks } from "./admin-links.tsx";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { Elapsed } from "./inline-text.tsx";
import { TrafficCells, TrafficHeadings } from "./traffic-cells.tsx";

type ServerTableProps = {
  servers: readonly ServerView[];
  view: DashboardView;
  /** Null if telemetry is unavailable. */
  traffic: Snapshot | null;
  canAct: boolean;
};

export function ServerTable({ servers, view, traffic, canAct }: ServerTableProps) {
  const trafficById = tasksById(traffic);
  return (
    <DataTable
      label="Table of static servers"
      headings={[
        "Server",
        "State",
        "For",
        "Check",
        traffic !== null && <TrafficHeadings />,
        "Weight",
        "Downtime",
        canAct && "Admin state",
      ]}
    >
      {servers.map((server) => (
        <tr id={server.id}>
          <th scope="row">
            {server.spec.name}
            <span class="sub">{hostPort(server.spec.host, server.spec.port)}</span>
          </th>
          <td>
            <ServerState server={server} />
          </td>
          <td class="nowrap">
            {server.health !== null && <Elapsed sinceMs={server.health.sinceMs} nowMs={view.nowMs} />}
          </td>
          <td>{lastCheckText(server)}</td>
          {traffic !== null && <TrafficCells traffic={trafficById.get(server.id)} />}
          <td class="nowrap">
            {server.spec.weight}
            {server.spec.backup && <span class="sub">backup</span>}
          </td>
          <td class="nowrap">{downtimeText(server, view.nowMs)}</td>
          {canAct && (
            <td>
              <AdminStateLinks
                target={{ kind: "server", ref: server.id }}
                name={server.spec.name}
                current={server.admin}
              />
            </td>
          )}
        </tr>
      ))}
    </DataTable>
  );
}

/** The status in HAProxy's words. */
function ServerState({ server }: { server: ServerView }) {
  const status = serverDisplayStatus(server);
  return (
    <span class={`state is-${status}`} title={statusMeanings[status]}>
      <Glyph status={status} /> {serverStatus(server)}
    </span>
  );
}

function downtimeText({ admin, health }: ServerView, nowMs: number): string {
  return health === null ? "" : formatDuration(downtimeMs(admin, health, nowMs));
}
