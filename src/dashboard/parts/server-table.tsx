// Static servers as a table: how each is by its checks, and what it takes part in.

import { hostPort } from "../../domain/model/server.ts";
import { downtimeMs, lastCheckText, serverStatus } from "../../domain/model/server-health.ts";
import type { ServerView } from "../../registry/api.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import { serverDisplayStatus, statusMeanings } from "../display-status.ts";
import { formatDuration } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { AdminStateLinks } from "./admin-links.tsx";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { Elapsed } from "./inline-text.tsx";
import { TrafficCells, TrafficHeadings } from "./traffic-cells.tsx";

type ServerTableProps = {
  servers: readonly ServerView[];
  view: DashboardView;
  traffic: Snapshot | null;
  mayAct: boolean;
};

export function ServerTable({ servers, view, traffic, mayAct }: ServerTableProps) {
  const counted = new Map(traffic?.services.flatMap(({ tasks }) => tasks.map((task) => [task.id, task])));
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
        "Down in all",
        mayAct && "Balancing",
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
          <td class="figure">
            {server.health !== null && <Elapsed sinceMs={server.health.sinceMs} nowMs={view.nowMs} />}
          </td>
          <td>{lastCheckText(server)}</td>
          {traffic !== null && <TrafficCells traffic={counted.get(server.id)} />}
          <td class="figure">
            {server.spec.weight}
            {server.spec.backup && <span class="sub">backup</span>}
          </td>
          <td class="figure">{downtimeText(server, view.nowMs)}</td>
          {mayAct && (
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

/** HAProxy's word for it, with its shape. */
function ServerState({ server }: { server: ServerView }) {
  const look = serverDisplayStatus(server);
  return (
    <span class={`state is-${look}`} title={statusMeanings[look]}>
      <Glyph look={look} /> {serverStatus(server)}
    </span>
  );
}

function downtimeText({ admin, health }: ServerView, nowMs: number): string {
  return health === null ? "" : formatDuration(downtimeMs(admin, health, nowMs));
}
