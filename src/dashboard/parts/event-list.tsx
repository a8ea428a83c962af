// Events as a list: time, action, subject, reason and actor of each.

import type { MeshEvent } from "../../domain/model/event.ts";
import { eventChanges, isFailureEvent } from "../event-changes.ts";
import { nodePath, servicePath } from "../paths.ts";
import type { DashboardView } from "../view.ts";
import { TimeAgo } from "./inline-text.tsx";

/** Events on the page of one service or node; the events page has the others. */
const maxSectionEvents = 15;

export function EventSection({ events, view }: { events: readonly MeshEvent[]; view: DashboardView }) {
  return (
    <section aria-labelledby="events-title" id="events" data-part>
      <h2 id="events-title">Events</h2>
      <EventList events={events.slice(0, maxSectionEvents)} view={view} />
    </section>
  );
}

export function EventList({ events, view }: { events: readonly MeshEvent[]; view: DashboardView }) {
  if (events.length === 0) return <p class="empty">No events.</p>;
  const changes = eventChanges(view);
  return (
    <ol class="events">
      {events.map((event) => (
        <li class={`event ${severityClass(event.action)}`}>
          <TimeAgo atMs={event.atMs} nowMs={view.nowMs} />
          <span class="action">{event.action}</span>
          <span class="subject">
            <SubjectLink event={event} view={view} />
          </span>
          <span class="detail">
            {event.why}
            {event.actor !== "registry" && <span class="actor"> by {event.actor}</span>}
            {(changes.get(event.seq) ?? []).map((change) => (
              <span class="change">{change}</span>
            ))}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** Plain text if the subject was removed and has no page. */
function SubjectLink({ event: { subject }, view }: { event: MeshEvent; view: DashboardView }) {
  const path = subjectPath(subject, view);
  const name = subject.type === "task" ? readableTaskName(subject.name, view) : subject.name;
  return path === null ? name : <a href={path}>{name}</a>;
}

/** The name of a global service's task ends with a node id; shows the host name instead. */
function readableTaskName(taskName: string, view: DashboardView): string {
  const dotIndex = taskName.lastIndexOf(".");
  const node = view.nodeById.get(taskName.slice(dotIndex + 1));
  return node === undefined ? taskName : `${taskName.slice(0, dotIndex)}.${node.hostname}`;
}

function subjectPath({ type, id, name }: MeshEvent["subject"], view: DashboardView): string | null {
  const node = view.nodeById.get(id);
  if (type === "node") return node === undefined ? null : nodePath(node, view.nodes);
  if (type === "mesh" || type === "network" || type === "secret" || type === "config") return null;
  const endIndex = { service: name.length, task: name.indexOf("."), server: name.indexOf("/") }[type];
  const serviceName = name.slice(0, Math.max(endIndex, 0));
  const exists = view.services.some(({ spec }) => spec.name === serviceName);
  return exists ? servicePath(serviceName) : null;
}

function severityClass(action: string): string {
  if (/\.(paused|leaving|lost|drain|rollback)/.test(action)) return "is-warn";
  if (isFailureEvent(action)) return "is-bad";
  return "";
}
