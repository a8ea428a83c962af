// Limits of the events that one node causes, so that a node cannot flush the events of the others. Kept in
// memory only: a registry that starts again begins with full allowances.

import { type EventSubject, isByOperator, type NewEvent } from "../domain/model/event.ts";
import { Allowances } from "./allowance.ts";

/** Events of one node that are recorded at once, and after that one each second. */
const eventsAllowed = { full: 200, intervalMs: 1_000 };

export class EventLimits {
  /** By the node's id, because a node may take another name. */
  readonly #allowances = new Allowances(eventsAllowed);
  /** By node, how many events were not recorded since the last one that was. */
  readonly #skipped = new Map<string, number>();

  /** How many nodes have an allowance stored, or events that were not recorded. */
  get size(): number {
    const others = [...this.#skipped.keys()].filter((node) => !this.#allowances.has(node));
    return this.#allowances.stored + others.length;
  }

  /**
   * The events that are recorded. The first one of a node after a gap follows an event that counts the ones
   * that are missing.
   *
   * @param senderOf id of the node whose message caused an event; null if no message did
   */
  admit(
    events: readonly NewEvent[],
    nowMs: number,
    senderOf: (event: NewEvent) => string | null,
  ): readonly NewEvent[] {
    return events.flatMap((event) => {
      const node = causeOf(event, senderOf(event));
      const admitted = node === null ? event : this.#admitOfNode(event, node, nowMs);
      if (event.action === "node.remove") this.#forget(event.subject.id);
      return admitted;
    });
  }

  #admitOfNode(event: NewEvent, node: string, nowMs: number): readonly NewEvent[] {
    const skipped = this.#skipped.get(node) ?? 0;
    if (!this.#allowances.take(node, 1, nowMs)) {
      this.#skipped.set(node, skipped + 1);
      return [];
    }
    this.#skipped.delete(node);
    return skipped === 0 ? [event] : [gapEvent(event, node, skipped), event];
  }

  #forget(nodeId: string): void {
    this.#allowances.remove(nodeId);
    this.#skipped.delete(nodeId);
  }
}

/** Id of the node that caused an event; null for those of operators, and for what the registry does by itself. */
function causeOf(event: NewEvent, sender: string | null): string | null {
  if (isByOperator(event)) return null;
  if (event.subject.type === "node") return event.subject.id;
  return event.actor.startsWith(nodeActor) ? sender : null;
}

const nodeActor = "node ";

function gapEvent({ subject, actor }: NewEvent, node: string, skipped: number): NewEvent {
  const own: EventSubject =
    subject.type === "node" ? subject : { type: "node", id: node, name: actor.slice(nodeActor.length) };
  return {
    actor: "registry",
    action: "node.events",
    subject: own,
    why: `${skipped} events of this node were not recorded: more than one each ${eventsAllowed.intervalMs / 1_000} s`,
  };
}
