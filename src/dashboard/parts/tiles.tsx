// The map of a large mesh: one tile for each node, and a summary row for each service.

import { type DisplayStatus, statusMeanings } from "../display-status.ts";
import { nodePath, servicePath } from "../paths.ts";
import { serviceSizeText } from "../service-size.ts";
import type { TileMap } from "../task-map.ts";
import { pluralize } from "../text.ts";
import type { DashboardView } from "../view.ts";
import { Glyph, StatusCounts } from "./glyph.tsx";
import { nodeStateText } from "./node-state.tsx";
import { TrafficCells, TrafficHeadings } from "./traffic-cells.tsx";

export function NodeTiles({ map, view }: { map: TileMap; view: DashboardView }) {
  return (
    <>
      <ul class="tiles" aria-label="Nodes, each with the worst status of its tasks">
        {map.tiles.map(({ node, status, tasks }) => {
          const worst = status === null ? "" : `, worst ${statusMeanings[status]}`;
          const label = `${node.hostname}: ${nodeStateText(node)}, ${pluralize(tasks, "task")}${worst}`;
          return (
            <li>
              <a href={nodePath(node, [])} title={label} aria-label={label}>
                {status === null ? <svg class="glyph" aria-hidden="true" /> : <Glyph status={status} />}
              </a>
            </li>
          );
        })}
      </ul>
      <ServiceSummary map={map} view={view} />
    </>
  );
}

/** Rows of the summary; the services page lists all. */
const maxSummaryServices = 30;

/** Services with the most tasks that do not run come first. */
function ServiceSummary({ map, view }: { map: TileMap; view: DashboardView }) {
  const sorted = map.services.toSorted((a, b) => notRunningCount(b.counts) - notRunningCount(a.counts));
  return (
    <table class="service-summary">
      <thead>
        <tr>
          <th scope="col">Service</th>
          <th scope="col">Tasks</th>
          <th scope="col">By status</th>
          {view.traffic !== null && <TrafficHeadings />}
        </tr>
      </thead>
      <tbody>
        {sorted.slice(0, maxSummaryServices).map(({ service, counts }) => (
          <tr>
            <th scope="row">
              <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
            </th>
            <td class="nowrap">{serviceSizeText(service, view)}</td>
            <td>
              <StatusCounts counts={counts} />
            </td>
            {view.traffic !== null && <TrafficCells traffic={view.traffic.serviceById.get(service.id)} />}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function notRunningCount(counts: ReadonlyMap<DisplayStatus, number>): number {
  return [...counts].reduce((sum, [status, count]) => sum + (status === "running" ? 0 : count), 0);
}
