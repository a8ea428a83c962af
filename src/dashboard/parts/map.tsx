// The map as it is drawn. Every cell is a link with a name of its own, so that it can be read without seeing it.

import { nowOf } from "../../telemetry/now.ts";
import type { Traffic } from "../../telemetry/snapshot.ts";
import { sizeOf } from "../service-size.ts";
import { meanings } from "../task-look.ts";
import { type CellMap, type TaskCell, taskMap } from "../task-map.ts";
import { count } from "../text.ts";
import type { View } from "../view.ts";
import { Glyph, Legend } from "./glyph.tsx";
import { NodeState } from "./node-state.tsx";
import { nowText } from "./now.tsx";
import { Tiles } from "./tiles.tsx";
import { nodePath, servicePath } from "./words.tsx";

export function MapSection({ view }: { view: View }) {
  const map = taskMap(view);
  return (
    <section aria-labelledby="map-title" id="map" data-part>
      <div class="heading">
        <h2 id="map-title">Map</h2>
        <Legend shown={map.shown} />
      </div>
      {map.kind === "cells" ? <Cells map={map} view={view} /> : <Tiles map={map} view={view} />}
    </section>
  );
}

function Cells({ map, view }: { map: CellMap; view: View }) {
  if (map.services.length === 0) {
    return (
      <p class="empty">
        {count(view.nodes.length, "node")} and no service yet. Create one with{" "}
        <code>docker service create --name my-web --publish 8080:80 --replicas 2 waggle/whoami</code>.
      </p>
    );
  }
  return (
    <section class="scroll" aria-label="Tasks by node and service" tabindex={0}>
      <table class="map">
        <thead>
          <tr>
            <th scope="col">Node</th>
            {map.services.map((service) => (
              <th scope="col">
                <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
                <span class="sub">
                  {sizeOf(service, view)}
                  <Load traffic={view.traffic?.serviceById.get(service.id)} />
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
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
                      <Load traffic={view.traffic?.nodeById.get(of.id)} />
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
        </tbody>
      </table>
    </section>
  );
}

/** `12.3/s, 0.5 % fail`: what comes in now; nothing where nothing does. */
function Load({ traffic }: { traffic: Pick<Traffic, "recent"> | undefined }) {
  const now = nowOf(traffic?.recent);
  if (now.requests === 0) return null;
  return <span class={`load ${now.errors >= 0.01 ? "is-bad-text" : ""}`}>{nowText(now)}</span>;
}

function Chip({ cell: { id, name, look, short }, service }: { cell: TaskCell; service: string }) {
  const label = `${name}: ${meanings[look]}`;
  return (
    <a class={`chip is-${look}`} href={`${servicePath(service)}#${id}`} title={label} aria-label={label}>
      <Glyph look={look} />
      {short !== "" && <span>{short}</span>}
    </a>
  );
}
