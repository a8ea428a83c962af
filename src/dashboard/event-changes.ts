// What an event changed in a service's spec, and the kinds of events that a page can be filtered by.

import type { MeshEvent } from "../domain/model/event.ts";
import { changeText, specChanges } from "../domain/model/spec-changes.ts";
import type { DashboardView } from "./view.ts";

/**
 * The changes of updates and rollbacks of services, by the event's sequence number. Those of the newest update are read
 * from both specs, whole; the others are what the event has recorded.
 */
export function eventChanges({
  events,
  serviceById,
}: Pick<DashboardView, "events" | "serviceById">): ReadonlyMap<number, readonly string[]> {
  const changes = new Map<number, readonly string[]>();
  const seen = new Set<string>();
  for (const { seq, subject, action, changes: recorded = [] } of events) {
    if (!isSpecChange(action)) continue;
    const service = seen.has(subject.id) ? undefined : serviceById.get(subject.id);
    seen.add(subject.id);
    const previous = service?.previous ?? null;
    changes.set(
      seq,
      service === undefined || previous === null
        ? recorded
        : specChanges(previous.spec, service.spec).map(changeText),
    );
  }
  return changes;
}

/** True for an event after which the service has another spec. */
function isSpecChange(action: string): boolean {
  return (
    action === "service.update" || action === "service.rollback" || action === "service.rollback_started"
  );
}

/** The filters of the events page, by the parameter `kind`. */
export const eventKinds: Readonly<Record<string, string>> = {
  "": "All",
  operators: "By operators",
  failures: "Failures",
  service: "Services",
  task: "Tasks",
  node: "Nodes",
};

/** True if an event belongs to a kind; an unknown kind has all events. */
export function isOfKind({ actor, action, subject }: MeshEvent, kind: string): boolean {
  if (kind === "operators") return actor !== "registry" && !actor.startsWith("node ");
  if (kind === "failures") return isFailureEvent(action);
  return !Object.hasOwn(eventKinds, kind) || kind === "" || subject.type === kind;
}

export function isFailureEvent(action: string): boolean {
  return /\.(failed|rejected|down|orphaned|unhealthy|paused|rollback_paused|rollback_started)$/.test(action);
}
