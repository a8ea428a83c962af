// All services.

import { hostsOf } from "../../domain/labels.ts";
import type { PublishedPort } from "../../domain/service.ts";
import { isAlive } from "../../domain/task.ts";
import type { ServiceView } from "../../registry/api.ts";
import type { Page } from "../paging.ts";
import { Finder, Pager } from "../parts/finder.tsx";
import { Counts } from "../parts/glyph.tsx";
import { NowCells, NowHeadings } from "../parts/now.tsx";
import { servicePath } from "../parts/words.tsx";
import { sizeOf } from "../service-size.ts";
import { type Look, lookOf, lookOfServer } from "../task-look.ts";
import type { View } from "../view.ts";

const path = "/dashboard/services";

export function Services({ view, page }: { view: View; page: Page<ServiceView> }) {
  return (
    <>
      <h1>Services</h1>
      <Finder page={page} what="service" path={path} />
      <section id="services" data-part>
        {page.items.length === 0 ? (
          <p class="empty">No service{page.query === "" ? " yet" : ` with “${page.query}”`}.</p>
        ) : (
          <section class="scroll" aria-label="Table of services" tabindex={0}>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">Service</th>
                  <th scope="col">Image</th>
                  <th scope="col">Mode</th>
                  <th scope="col">Running</th>
                  <th scope="col">Tasks</th>
                  {view.traffic !== null && <NowHeadings />}
                  <th scope="col">Published</th>
                </tr>
              </thead>
              <tbody>
                {page.items.map((service) => (
                  <tr>
                    <th scope="row">
                      <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
                    </th>
                    <td>{service.spec.run.image}</td>
                    <td>{service.spec.mode.kind}</td>
                    <td class="figure">{sizeOf(service, view)}</td>
                    <td>
                      <Counts counts={countsOf(service, view)} />
                    </td>
                    {view.traffic !== null && <NowCells traffic={view.traffic.serviceById.get(service.id)} />}
                    <td>
                      <Published service={service} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
        <Pager page={page} path={path} />
      </section>
    </>
  );
}

export function Published({ service: { ports, spec } }: { service: ServiceView }) {
  return (
    <>
      {[...ports.map(portText), ...hostsOf(spec.labels)].map((text) => (
        <span class="sub">{text}</span>
      ))}
    </>
  );
}

/** `8080→80`, and how where that is not the usual way. */
function portText({ published, target, mode }: PublishedPort): string {
  return `${published} → ${target}${mode === "host" ? " (host)" : ""}`;
}

function countsOf(service: ServiceView, view: View): ReadonlyMap<Look, number> {
  const alive = view.tasksOfService(service.id).filter((task) => isAlive(task));
  const grouped = Map.groupBy(alive, (task) => lookOf(task, view.nodeById.get(task.nodeId ?? "")));
  const counts = new Map([...grouped].map(([look, tasks]) => [look, tasks.length]));
  for (const server of view.serversOfService(service.id)) {
    const look = lookOfServer(server);
    counts.set(look, (counts.get(look) ?? 0) + 1);
  }
  return counts;
}
