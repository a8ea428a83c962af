// The map as it is drawn. Every cell is a link with a name of its own, so that it can be read without seeing it.

import type { Node } from "../../domain/node.ts";
import { nowOf } from "../../telemetry/now.ts";
import type { Traffic } from "../../telemetry/snapshot.ts";
import { type Look, looks, meanings } from "../task-look.ts";
import { type CellMap, type TaskCell, type TileMap, taskMap } from "../task-map.ts";
import { count } from "../text.ts";
import type { View } from "../view.ts";
import { Glyph, Legend } from "./glyph.tsx";
import { NowCells, NowHeadings, nowText } from "./now.tsx";
import { nodePath, number, servicePath } from "./words.tsx";

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
            {map.services.map(({ id, spec, running, desiredTasks }) => (
              <th scope="col">
                <a href={servicePath(spec.name)}>{spec.name}</a>
                <span class="sub">
                  {running}/{desiredTasks}
                  <Load traffic={view.traffic?.serviceById.get(id)} />
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

/** What is unusual about a node, in a word; nothing when it is ready and active. */
export function NodeState({ node }: { node: Node }) {
  const word = nodeWord(node);
  const balance = node.balance ?? "ready";
  return (
    <>
      {word !== "active" && <span class={`tag ${word === "down" ? "is-bad" : "is-warn"}`}>{word}</span>}
      {balance !== "ready" && <span class="tag is-warn">{balance} at the balancer</span>}
    </>
  );
}

export function nodeWord({ state, availability, leaving }: Node): string {
  if (state !== "ready") return state;
  if (leaving === true) return "leaving";
  return { active: "active", pause: "paused", drain: "drained" }[availability];
}

function Tiles({ map, view }: { map: TileMap; view: View }) {
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
            <td class="figure">
              {number(service.running)}/{number(service.desiredTasks)}
            </td>
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

/** `● 1,200 ▲ 3`: how many tasks look how. */
export function Counts({ counts }: { counts: ReadonlyMap<Look, number> }) {
  return (
    <span class="counts">
      {looks
        .toReversed()
        .filter((look) => counts.has(look))
        .map((look) => (
          <span title={meanings[look]}>
            <Glyph look={look} /> {number(counts.get(look) ?? 0)} <span class="unseen">{meanings[look]}</span>
          </span>
        ))}
    </span>
  );
}

function trouble(counts: ReadonlyMap<Look, number>): number {
  return [...counts].reduce((sum, [look, many]) => sum + (look === "running" ? 0 : many), 0);
}
