// The table of routes, with a link that explains a request to each.

import type { Page } from "../paging.ts";
import { pagePaths, servicePath } from "../paths.ts";
import type { RouteRow } from "../route-rows.ts";
import { DataTable } from "./data-table.tsx";
import { Glyph } from "./glyph.tsx";
import { Pager, SearchForm } from "./search-form.tsx";

export function RouteTable({ page }: { page: Page<RouteRow> }) {
  return (
    <section aria-label="Routes" id="routes" data-part>
      <SearchForm page={page} noun="route" path={pagePaths.routing} isAlwaysShown />
      {page.items.length === 0 ? (
        <p class="empty">
          {page.query === "" ? "No service is published yet." : `No route matches “${page.query}”.`}
        </p>
      ) : (
        <DataTable
          label="Table of routes"
          headings={["Port", "Host", "Path", "Service", "Targets", "Policy", "Affinity", "Canary", "Explain"]}
        >
          {page.items.map((row) => (
            <Row row={row} />
          ))}
        </DataTable>
      )}
      <Pager page={page} path={pagePaths.routing} />
    </section>
  );
}

function Row({ row }: { row: RouteRow }) {
  const { port, note, host, path, service, targetPort, up, total, policy, affinity, canary, exampleUrl } =
    row;
  const status = up === 0 ? "failed" : up < total ? "unhealthy" : "running";
  return (
    <tr>
      <th scope="row">
        {port}
        {note !== "" && <span class="sub">{note}</span>}
      </th>
      <td>{host}</td>
      <td>{path}</td>
      <td>
        <a href={servicePath(service)}>{service}</a>
        {targetPort !== null && <span class="sub nowrap">to port {targetPort}</span>}
      </td>
      <td class="nowrap">
        <span class={`state is-${status}`}>
          <Glyph status={status} /> {up}/{total} up
        </span>
      </td>
      <td>{policy}</td>
      <td>{affinity}</td>
      <td>{canary}</td>
      <td>
        {exampleUrl === null ? (
          <span class="muted">TCP</span>
        ) : (
          <a
            href={`${pagePaths.routing}?${new URLSearchParams({ method: "GET", url: exampleUrl })}`}
            aria-label={`Explain a request for ${exampleUrl}`}
          >
            Explain
          </a>
        )}
      </td>
    </tr>
  );
}
