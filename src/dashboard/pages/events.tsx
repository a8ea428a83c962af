// The events page: every event that the registry keeps.

import type { MeshEvent } from "../../domain/model/event.ts";
import { eventKinds } from "../event-changes.ts";
import type { Page } from "../paging.ts";
import { EventList } from "../parts/event-list.tsx";
import { Pager, SearchForm } from "../parts/search-form.tsx";
import { pagePaths } from "../paths.ts";
import type { DashboardView } from "../view.ts";

export function Events({
  view,
  page,
  kind,
}: {
  view: DashboardView;
  page: Page<MeshEvent>;
  /** One of `eventKinds`. */
  kind: string;
}) {
  const params = kind === "" ? {} : { kind };
  return (
    <>
      <h1>Events</h1>
      <p class="muted">
        The last 1,000 events of operators, and as many of nodes and the registry, with actor and reason.{" "}
        <code>waggle events -f</code> follows them.
      </p>
      <nav class="ranges" aria-label="Kinds of events">
        {Object.entries(eventKinds).map(([name, label]) => (
          <a
            href={name === "" ? pagePaths.events : `${pagePaths.events}?kind=${name}`}
            {...(name === kind && { "aria-current": "true" })}
          >
            {label}
          </a>
        ))}
      </nav>
      <SearchForm page={page} noun="event" path={pagePaths.events} params={params} isAlwaysShown />
      <section id="events" aria-label="Events" data-part>
        <EventList events={page.items} view={view} />
        <Pager page={page} path={pagePaths.events} params={params} />
      </section>
    </>
  );
}

/** The text that a search looks at. @param changes of the event's spec */
export function eventText(
  { action, actor, subject, why }: MeshEvent,
  changes: readonly string[] = [],
): string {
  return [action, actor, subject.type, subject.name, why, ...changes].join(" ");
}
