// The map of a large mesh: a tile a node, showing the worst of its tasks, and a row a service.

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
      <ul class="tiles" aria-label="Nodes, each by the worst of its tasks">
        {map.tiles.map(({ node, look, tasks }) => {
          const label = `${node.hostname}: ${nodeStateText(node)}, ${pluralize(tasks, "task")}${look === null ? "" : `, worst ${statusMeanings[look]}`}`;
          return (
            <li>
              <a href={nodePath(node, [])} title={label} aria-label={label}>
                {look === null ? <svg class="glyph" aria-hidden="true" /> : <Glyph look={look} />}
              </a>
            </li>
          );
        })}
      </ul>
      <ServiceSummary map={map} view={view} />
    </>
  );
}

/** Services in the summary; the page of services has all. */
const maxSummaryServices = 30;

function ServiceSummary({ map, view }: { map: TileMap; view: DashboardView }) {
  const byNeed = map.services.toSorted((a, b) => notRunningCount(b.counts) - notRunningCount(a.counts));
  return (
    <table class="bars">
      <thead>
        <tr>
          <th scope="col">Service</th>
          <th scope="col">Tasks</th>
          <th scope="col">By condition</th>
          {view.traffic !== null && <TrafficHeadings />}
        </tr>
      </thead>
      <tbody>
        {byNeed.slice(0, maxSummaryServices).map(({ service, counts }) => (
          <tr>
            <th scope="row">
              <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
            </th>
            <td class="figure">{serviceSizeText(service, view)}</td>
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
  return [...counts].reduce((sum, [look, many]) => sum + (look === "running" ? 0 : many), 0);
}
