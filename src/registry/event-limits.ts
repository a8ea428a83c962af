// Limits of the events that one node causes, so that a node cannot flush the events of the others. Kept in
// memory only: a registry that starts again begins with full allowances.

import { type EventSubject, isByOperator, type NewEvent } from "../domain/model/event.ts";

/** Events of one node that are recorded at once, and after that one each `eventIntervalMs`. */
const maxEventsAtOnce = 200;
const eventIntervalMs = 1_000;

/** The events that a node may still cause, at a time, and how many were not recorded since the last one. */
type EventAllowance = { readonly events: number; readonly atMs: number; readonly skipped: number };

export class EventLimits {
  /** By the node's name; a full allowance is not stored. */
  readonly #byNode = new Map<string, EventAllowance>();

  /**
   * The events that are recorded. The first one of a node after a gap follows an event that counts the ones
   * that are missing.
   */
  admit(events: readonly NewEvent[], nowMs: number): readonly NewEvent[] {
    return events.flatMap((event) => {
      const node = causeOf(event);
      return node === null ? event : this.#admitOfNode(event, node, nowMs);
    });
  }

  #admitOfNode(event: NewEvent, node: string, nowMs: number): readonly NewEvent[] {
    const { events, atMs, skipped } = this.#byNode.get(node) ?? {
      events: maxEventsAtOnce,
      atMs: nowMs,
      skipped: 0,
    };
    const added = Math.max(0, nowMs - atMs) / eventIntervalMs;
    const available = Math.min(maxEventsAtOnce, events + added);
    if (available < 1) {
      this.#byNode.set(node, { events: available, atMs: nowMs, skipped: skipped + 1 });
      return [];
    }
    this.#byNode.set(node, { events: available - 1, atMs: nowMs, skipped: 0 });
    this.#removeFull(nowMs);
    return skipped === 0 ? [event] : [gapEvent(event, node, skipped), event];
  }

  /** Removes the nodes that caused no event for so long that their allowance is full again. */
  #removeFull(nowMs: number): void {
    for (const [node, { events, atMs, skipped }] of this.#byNode) {
      const isFull = events + (nowMs - atMs) / eventIntervalMs >= maxEventsAtOnce;
      if (isFull && skipped === 0) this.#byNode.delete(node);
    }
  }
}

/** The node that caused an event; null for those of operators, and for what the registry does by itself. */
function causeOf(event: NewEvent): string | null {
  if (isByOperator(event)) return null;
  if (event.subject.type === "node") return event.subject.name;
  return event.actor.startsWith("node ") ? event.actor.slice("node ".length) : null;
}

function gapEvent({ subject }: NewEvent, node: string, skipped: number): NewEvent {
  const own: EventSubject = subject.type === "node" ? subject : { type: "node", id: "", name: node };
  return {
    actor: "registry",
    action: "node.events",
    subject: own,
    why: `${skipped} events of this node were not recorded: more than one each ${eventIntervalMs / 1_000} s`,
  };
}
