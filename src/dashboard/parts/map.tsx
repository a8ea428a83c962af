// The map as it is drawn. Every cell is a link with a name of its own, so that it can be read without seeing it.

import { ratesOf } from "../../telemetry/rates.ts";
import type { TrafficMetrics } from "../../telemetry/snapshot.ts";
import { statusMeanings } from "../display-status.ts";
import { nodePath, servicePath } from "../paths.ts";
import { serviceSizeText } from "../service-size.ts";
import { type CellMap, type MapCell, taskMap } from "../task-map.ts";
import { pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { DataTable } from "./data-table.tsx";
import { Glyph, StatusLegend } from "./glyph.tsx";
import { NodeState } from "./node-state.tsx";
import { NodeTiles } from "./tiles.tsx";
import { loadText } from "./traffic-cells.tsx";

export function MapSection({ view }: { view: DashboardView }) {
  const map = taskMap(view);
  return (
    <section aria-labelledby="map-title" id="map" data-part>
      <div class="heading">
        <h2 id="map-title">Map</h2>
        <StatusLegend shown={map.shown} />
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
  const serviceHeadings = map.services.map((service) => (
    <th scope="col">
      <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
      <span class="sub">
        {serviceSizeText(service, view)}
        <CurrentLoad traffic={view.traffic?.serviceById.get(service.id)} />
      </span>
    </th>
  ));
  return (
    <DataTable label="Tasks by node and service" headings={["Node", ...serviceHeadings]} tableClass="map">
      {map.rows.map(({ of, cells }) => (
        <tr>
          <th scope="row">
            {typeof of === "string" ? (
              <span class="muted">{of === "servers" ? "static servers" : "no node yet"}</span>
            ) : (
              <>
                <a href={nodePath(of, view.nodes)}>{of.hostname}</a>
                <NodeState node={of} />
                <span class="sub">
                  <CurrentLoad traffic={view.traffic?.nodeById.get(of.id)} />
                </span>
              </>
            )}
          </th>
          {cells.map((own, index) => (
            <td>
              {own.map((cell) => (
                <Chip cell={cell} service={map.services[index]?.spec.name ?? ""} />
              ))}
            </td>
          ))}
        </tr>
      ))}
    </DataTable>
  );
}

/** `12.3/s, 0.5 % fail`: what comes in now; nothing where nothing does. */
function CurrentLoad({ traffic }: { traffic: Pick<TrafficMetrics, "recent"> | undefined }) {
  const now = ratesOf(traffic?.recent);
  if (now.requestsPerSecond === 0) return null;
  return <span class={`load ${now.errorRatio >= 0.01 ? "is-bad-text" : ""}`}>{loadText(now)}</span>;
}

function Chip({ cell: { id, name, status, label: short }, service }: { cell: MapCell; service: string }) {
  const label = `${name}: ${statusMeanings[status]}`;
  return (
    <a class={`chip is-${status}`} href={`${servicePath(service)}#${id}`} title={label} aria-label={label}>
      <Glyph look={status} />
      {short !== "" && <span>{short}</span>}
    </a>
  );
}
