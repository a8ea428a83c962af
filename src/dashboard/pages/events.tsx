// The events page: every event that the registry keeps.

import type { MeshEvent } from "../../domain/model/event.ts";
import type { Page } from "../paging.ts";
import { EventList } from "../parts/event-list.tsx";
import { Pager, SearchForm } from "../parts/search-form.tsx";
import { pagePaths } from "../paths.ts";
import type { DashboardView } from "../view.ts";

export function Events({ view, page }: { view: DashboardView; page: Page<MeshEvent> }) {
  return (
    <>
      <h1>Events</h1>
      <p class="muted">
        The last 1,000 events of operators, and as many of nodes and the registry, with actor and reason.{" "}
        <code>waggle events -f</code> follows them.
      </p>
      <SearchForm page={page} noun="event" path={pagePaths.events} />
      <section id="events" aria-label="Events" data-part>
        <EventList events={page.items} view={view} />
        <Pager page={page} path={pagePaths.events} />
      </section>
    </>
  );
}

/** The text that a search looks at. */
export function eventText({ action, actor, subject, why }: MeshEvent): string {
  return `${action} ${actor} ${subject.type} ${subject.name} ${why}`;
}
