// The overview: is it well, what is not, where everything runs, and what happened last.

import { EventList } from "../parts/event-list.tsx";
import { Figure } from "../parts/figure.tsx";
import { MapSection } from "../parts/map.tsx";
import { ProblemList } from "../parts/problem-list.tsx";
import { number } from "../parts/words.tsx";
import { percent, perSecond } from "../text.ts";
import { verdictOf } from "../verdict.ts";
import type { View } from "../view.ts";

const eventsShown = 8;
/** From here on errors are shown as bad. */
const badShare = 0.01;

export function Overview({ view }: { view: View }) {
  const verdict = verdictOf(view);
  return (
    <>
      <section class={`verdict is-${verdict.level}`} id="verdict" data-part aria-live="polite">
        <VerdictShape level={verdict.level} />
        <div>
          <h1>{verdict.title}</h1>
          <p>{verdict.detail}</p>
        </div>
      </section>
      <Figures view={view} />
      <ProblemList view={view} />
      <div class="beside">
        <MapSection view={view} />
        <section aria-labelledby="events-title" id="events" data-part>
          <div class="heading">
            <h2 id="events-title">Latest events</h2>
            <a href="/dashboard/events">All events</a>
          </div>
          <EventList events={view.events.slice(0, eventsShown)} view={view} />
        </section>
      </div>
    </>
  );
}

function VerdictShape({ level }: { level: "ok" | "warn" | "bad" }) {
  return (
    <svg class="verdict-shape" viewBox="0 0 32 32" aria-hidden="true">
      {level === "ok" && (
        <>
          <circle cx="16" cy="16" r="14" fill="currentColor" />
          <path d="m9.5 16.5 4.5 4.5 8.5-9.5" fill="none" stroke="var(--surface)" stroke-width="3" />
        </>
      )}
      {level === "warn" && (
        <>
          <path d="M16 2.5 31 29H1z" fill="currentColor" />
          <path d="M16 12v8m0 2.6V26" stroke="var(--surface)" stroke-width="3" />
        </>
      )}
      {level === "bad" && (
        <>
          <rect x="2" y="2" width="28" height="28" rx="4" fill="currentColor" />
          <path d="m10 10 12 12m0-12L10 22" stroke="var(--surface)" stroke-width="3" />
        </>
      )}
    </svg>
  );
}

function Figures({ view }: { view: View }) {
  const { nodes, services, info, traffic } = view;
  const ready = nodes.filter(({ state }) => state === "ready").length;
  return (
    <dl class="figures" id="figures" data-part>
      {traffic !== null && (
        <>
          <Figure label="Requests" value={perSecond(traffic.total.requests)} trend={traffic.trend} />
          <Figure
            label="Errors"
            value={percent(traffic.total.errors)}
            bad={traffic.total.errors >= badShare}
            note="of requests now"
          />
        </>
      )}
      <Figure label="Nodes ready" value={`${number(ready)}/${number(nodes.length)}`} />
      <Figure label="Services" value={number(services.length)} />
      <Figure label="Tasks running" value={`${number(info.tasks.running)}/${number(info.tasks.desired)}`} />
      <Figure label="Routing table" value={`version ${number(info.tableVersion)}`} />
    </dl>
  );
}
