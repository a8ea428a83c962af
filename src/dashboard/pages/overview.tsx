// The overview: the mesh's health in one sentence, its problems, the task map and the latest events.

import { type HealthSummary, summarizeHealth } from "../health-summary.ts";
import { EventList } from "../parts/event-list.tsx";
import { MapSection } from "../parts/map.tsx";
import { NoteList, ProblemList } from "../parts/problem-list.tsx";
import { Stat } from "../parts/stat.tsx";
import { pagePaths } from "../paths.ts";
import { formatDuration, formatInteger, formatPerSecond, formatShare } from "../text.ts";
import { agedTrafficMs } from "../traffic.ts";
import type { DashboardView } from "../view.ts";

const overviewEventsShown = 8;

export function Overview({ view }: { view: DashboardView }) {
  const health = summarizeHealth(view);
  return (
    <>
      <section class={`health is-${health.severity}`} id="health" data-part aria-live="polite">
        <HealthShape severity={health.severity} />
        <div>
          <h1>{health.title}</h1>
          <p>{health.detail}</p>
        </div>
      </section>
      <ProblemList view={view} />
      <OverviewStats view={view} />
      <div class="columns">
        <MapSection view={view} />
        <section aria-labelledby="events-title" id="events" data-part>
          <div class="heading">
            <h2 id="events-title">Latest events</h2>
            <a href={pagePaths.events}>All events</a>
          </div>
          <EventList events={view.events.slice(0, overviewEventsShown)} view={view} />
        </section>
      </div>
      <NoteList notes={view.notes} />
    </>
  );
}

/** A circle, triangle or square, so that the severity shows without color. */
function HealthShape({ severity }: { severity: HealthSummary["severity"] }) {
  return (
    <svg class="health-shape" viewBox="0 0 32 32" aria-hidden="true">
      {severity === "ok" && (
        <>
          <circle cx="16" cy="16" r="14" fill="currentColor" />
          <path d="m9.5 16.5 4.5 4.5 8.5-9.5" fill="none" stroke="var(--surface)" stroke-width="3" />
        </>
      )}
      {severity === "warn" && (
        <>
          <path d="M16 2.5 31 29H1z" fill="currentColor" />
          <path d="M16 12v8m0 2.6V26" stroke="var(--surface)" stroke-width="3" />
        </>
      )}
      {severity === "bad" && (
        <>
          <rect x="2" y="2" width="28" height="28" rx="4" fill="currentColor" />
          <path d="m10 10 12 12m0-12L10 22" stroke="var(--surface)" stroke-width="3" />
        </>
      )}
    </svg>
  );
}

function OverviewStats({ view }: { view: DashboardView }) {
  const { nodes, services, info, traffic } = view;
  const isAged = traffic !== null && traffic.ageMs >= agedTrafficMs;
  const readyCount = nodes.filter(({ state }) => state === "ready").length;
  return (
    <dl class="stats" id="stats" data-part {...(isAged && { "data-aged": true })}>
      {traffic !== null && (
        <>
          <Stat
            label="Requests"
            value={formatPerSecond(traffic.total.requestsPerSecond)}
            trend={traffic.trend}
            {...(isAged && { note: `until ${formatDuration(traffic.ageMs)} ago` })}
          />
          <Stat
            label="Errors"
            value={formatShare(traffic.total.errorRatio)}
            isBad={traffic.isFailing}
            note="of current requests"
          />
        </>
      )}
      <Stat label="Nodes ready" value={`${formatInteger(readyCount)}/${formatInteger(nodes.length)}`} />
      <Stat label="Services" value={formatInteger(services.length)} />
      <Stat
        label="Tasks running"
        value={`${formatInteger(info.tasks.running)}/${formatInteger(info.tasks.desired)}`}
      />
      <Stat label="Routing table" value={`version ${formatInteger(info.tableVersion)}`} />
    </dl>
  );
}
