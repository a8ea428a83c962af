// The list of services.

import { hostsOf } from "../../domain/labels/labels.ts";
import type { PublishedPort } from "../../domain/model/service.ts";
import { isAlive } from "../../domain/model/task.ts";
import type { ServiceView } from "../../registry/api.ts";
import type { ActionPermission } from "../action-permission.ts";
import {
  countStatuses,
  type DisplayStatus,
  serverDisplayStatus,
  taskDisplayStatus,
} from "../display-status.ts";
import type { Page } from "../paging.ts";
import { DataTable } from "../parts/data-table.tsx";
import { StatusCounts } from "../parts/glyph.tsx";
import { Pager, SearchForm } from "../parts/search-form.tsx";
import { TrafficCells, TrafficHeadings } from "../parts/traffic-cells.tsx";
import { pagePaths, servicePath } from "../paths.ts";
import { serviceSizeText } from "../service-size.ts";
import { imageText, modeText } from "../service-text.ts";
import type { DashboardView } from "../view.ts";

export function Services({
  view,
  page,
  permission,
}: {
  view: DashboardView;
  page: Page<ServiceView>;
  permission: ActionPermission;
}) {
  return (
    <>
      <div class="heading">
        <h1>Services</h1>
        {permission.isAllowed && (
          <a class="button" href={pagePaths.createService}>
            Create a service…
          </a>
        )}
      </div>
      <SearchForm page={page} noun="service" path={pagePaths.services} />
      <section id="services" data-part>
        {page.items.length === 0 ? (
          <p class="empty">{page.query === "" ? "No service yet." : `No service matches “${page.query}”.`}</p>
        ) : (
          <ServiceTable services={page.items} view={view} />
        )}
        <Pager page={page} path={pagePaths.services} />
      </section>
    </>
  );
}

function ServiceTable({ services, view }: { services: readonly ServiceView[]; view: DashboardView }) {
  return (
    <DataTable
      label="Table of services"
      headings={[
        "Service",
        "Image",
        "Mode",
        "Running",
        "Tasks",
        view.traffic !== null && <TrafficHeadings />,
        "Published",
      ]}
    >
      {services.map((service) => (
        <tr>
          <th scope="row">
            <a href={servicePath(service.spec.name)}>{service.spec.name}</a>
          </th>
          <td>{imageText(service, view)}</td>
          <td>{modeText(service, view)}</td>
          <td class="nowrap">{serviceSizeText(service, view)}</td>
          <td>
            <StatusCounts counts={statusCounts(service, view)} />
          </td>
          {view.traffic !== null && <TrafficCells traffic={view.traffic.serviceById.get(service.id)} />}
          <td>
            <PublishedAddresses service={service} />
          </td>
        </tr>
      ))}
    </DataTable>
  );
}

/** Published ports and host names, one a line. */
export function PublishedAddresses({ service: { ports, spec } }: { service: ServiceView }) {
  return (
    <>
      {[...ports.map(portText), ...hostsOf(spec.labels)].map((text) => (
        <span class="sub">{text}</span>
      ))}
    </>
  );
}

/** `8080 → 80`; `8080 → 80 (host)` in host mode. */
function portText({ published, target, mode }: PublishedPort): string {
  return `${published} → ${target}${mode === "host" ? " (host)" : ""}`;
}

function statusCounts(service: ServiceView, view: DashboardView): ReadonlyMap<DisplayStatus, number> {
  const statuses = [
    ...view
      .tasksOfService(service.id)
      .filter((task) => isAlive(task))
      .map((task) => taskDisplayStatus(task, view.nodeById.get(task.nodeId ?? ""))),
    ...view.serversOfService(service.id).map(serverDisplayStatus),
  ];
  return countStatuses(statuses);
}
