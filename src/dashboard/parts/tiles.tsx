// The map of a large mesh: a tile a node, showing the worst of its tasks, and a row a service.

import { sizeOf } from "../service-size.ts";
import { type Look, meanings } from "../task-look.ts";
import type { TileMap } from "../task-map.ts";
import { count } from "../text.ts";
import type { View } from "../view.ts";
import { Counts, Glyph } from "./glyph.tsx";
import { nodeWord } from "./node-state.tsx";
import { NowCells, NowHeadings } from "./now.tsx";
import { nodePath, servicePath } from "./words.tsx";

export function Tiles({ map, view }: { map: TileMap; view: View }) {
  return (
    <>
      <ul class="tiles" aria-label="Nodes, each by the worst of its tasks">
        {map.tiles.map(({ node, look, tasks }) => {
          const label = `${node.hostname}: ${nodeWord(node)}, ${count(tasks, "task")}${look === null ? "" : `, worst ${meanings[look]}`}`;
          return (
            <li>
              <a href={nodePath(node, [])} title={label} aria-label={label}>
                {look === null ? <svg class="glyph" aria-hidden="true" /> : <Glyph look={look} />}
              </a>
            </li>
          );
        })}
      </ul>
      <ServiceBars map={map} view={view} />
    </>
  );
}

/** Services in the summary; the page of services has all. */
const maxBars = 30;

function ServiceBars({ map, view }: { map: TileMap; view: View }) {
  const byNeed = map.services.toSorted((a, b) => trouble(b.counts) - trouble(a.counts));
  return (
    <table class="bars">
      <thead>
        <tr>
          <th scope="col">Service</th>
          <th scope="col">Tasks</th>
          <th scope="col">By condition</th>
          {view.traffic !== null && <NowHeadings />}
        </tr>
      </thead>
      <tbody>
        {byNeed.slice(0, maxBars).map(({ service, counts }) => (
          <tr>
            <th scope="row">
              <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
            </th>
            <td class="figure">{sizeOf(service, view)}</td>
            <td>
              <Counts counts={counts} />
            </td>
            {view.traffic !== null && <NowCells traffic={view.traffic.serviceById.get(service.id)} />}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function trouble(counts: ReadonlyMap<Look, number>): number {
  return [...counts].reduce((sum, [look, many]) => sum + (look === "running" ? 0 : many), 0);
}
