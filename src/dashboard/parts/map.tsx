// The task map: a table of nodes by services with one linked cell for each task and static server.

import type { ServiceView } from "../../registry/api.ts";
import { ratesOf } from "../../telemetry/rates.ts";
import type { TrafficMetrics } from "../../telemetry/snapshot.ts";
import { isFailing } from "../../telemetry/traffic-problems.ts";
import { statusMeanings } from "../display-status.ts";
import { nodePath, servicePath } from "../paths.ts";
import { serviceSizeText } from "../service-size.ts";
import { type CellMap, type MapCell, taskMap } from "../task-map.ts";
import { formatPerSecond, formatShare, pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { DataTable } from "./data-table.tsx";
import { Glyph, StatusLegend } from "./glyph.tsx";
import { NodeState } from "./node-state.tsx";
import { NodeTiles } from "./tiles.tsx";

export function MapSection({ view }: { view: DashboardView }) {
  const map = taskMap(view);
  return (
    <section aria-labelledby="map-title" id="map" data-part>
      <div class="heading">
        <h2 id="map-title">Map</h2>
        <StatusLegend statuses={map.legend} />
      </div>
      {map.kind === "cells" ? <CellTable map={map} view={view} /> : <NodeTiles map={map} view={view} />}
    </section>
  );
}

function CellTable({ map, view }: { map: CellMap; view: DashboardView }) {
  if (map.services.length === 0) {
    return (
      <p class="empty">
        {pluralize(view.nodes.length, "node")} and no service yet. Create one with{" "}
        <code>docker service create --name my-web --publish 8080:80 --replicas 2 waggle/whoami</code>.
      </p>
    );
  }
  const columnHeadings = map.isByService
    ? map.rows.map(({ row }) => <RowHeading row={row} view={view} scope="col" />)
    : map.services.map((service) => <ServiceHeading service={service} view={view} scope="col" />);
  return (
    <DataTable
      label="Tasks by node and service"
      headings={[map.isByService ? "Service" : "Node", ...columnHeadings]}
      tableClass={map.isByService ? "map is-by-service" : "map"}
    >
      {map.isByService
        ? map.services.map((service, index) => (
            <tr>
              <ServiceHeading service={service} view={view} scope="row" />
              {map.rows.map(({ cells }) => (
                <Cells cells={cells[index] ?? []} service={service} />
              ))}
            </tr>
          ))
        : map.rows.map(({ row, cells }) => (
            <tr>
              <RowHeading row={row} view={view} scope="row" />
              {map.services.map((service, index) => (
                <Cells cells={cells[index] ?? []} service={service} />
              ))}
            </tr>
          ))}
    </DataTable>
  );
}

type Scope = "row" | "col";

function ServiceHeading({
  service,
  view,
  scope,
}: {
  service: ServiceView;
  view: DashboardView;
  scope: Scope;
}) {
  return (
    <th scope={scope}>
      <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
      <span class="sub">
        {serviceSizeText(service, view)}
        <CurrentLoad traffic={view.traffic?.serviceById.get(service.id)} />
      </span>
    </th>
  );
}

function Cells({ cells, service }: { cells: readonly MapCell[]; service: ServiceView }) {
  return (
    <td>
      {cells.map((cell) => (
        <Chip cell={cell} serviceName={service.spec.name} />
      ))}
    </td>
  );
}

function RowHeading({
  row,
  view,
  scope,
}: {
  row: CellMap["rows"][number]["row"];
  view: DashboardView;
  scope: Scope;
}) {
  return (
    <th scope={scope}>
      {typeof row === "string" ? (
        <span class="muted">{row === "servers" ? "static servers" : "no node yet"}</span>
      ) : (
        <>
          <a href={nodePath(row, view.nodes)}>{row.hostname}</a>
          <NodeState node={row} />
          <span class="sub">
            <CurrentLoad traffic={view.traffic?.nodeById.get(row.id)} isPassedOn />
          </span>
        </>
      )}
    </th>
  );
}

/**
 * `12.3/s, 0.5 % fail`; nothing without current requests.
 *
 * @param isPassedOn of a node: the task or server that fails them has the color, wherever they came in
 */
function CurrentLoad({
  traffic,
  isPassedOn = false,
}: {
  traffic: Pick<TrafficMetrics, "recent"> | undefined;
  isPassedOn?: boolean;
}) {
  const { requestsPerSecond, errorRatio } = ratesOf(traffic?.recent);
  if (requestsPerSecond === 0) return null;
  return (
    <span class={`load ${!isPassedOn && isFailing(traffic?.recent) ? "is-bad-text" : ""}`}>
      {formatPerSecond(requestsPerSecond)}
      {errorRatio > 0 && !isPassedOn && `, ${formatShare(errorRatio)} fail`}
    </span>
  );
}

/** One cell: a link with a full name for screen readers. */
function Chip({ cell, serviceName }: { cell: MapCell; serviceName: string }) {
  const label = `${cell.name}: ${statusMeanings[cell.status]}`;
  const path = `${servicePath(serviceName)}#${cell.id}`;
  return (
    <a class={`chip is-${cell.status}`} href={path} title={label} aria-label={label}>
      <Glyph status={cell.status} />
      {cell.label !== "" && <span>{cell.label}</span>}
    </a>
  );
}
