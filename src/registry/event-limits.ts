// Limits of the events that one node causes, so that a node cannot flush the events of the others. Kept in
// memory only: a registry that starts again begins with full allowances.

import { type EventSubject, isByOperator, type NewEvent } from "../domain/model/event.ts";
import { type Allowance, refill, takeOne } from "./allowance.ts";

/** Events of one node that are recorded at once, and after that one each second. */
const eventsAllowed = { full: 200, intervalMs: 1_000 };

/** Nodes that are looked at after each event: more than an event adds, so that full allowances get fewer. */
const examinedPerEvent = 2;

/** The events that a node may still cause, and how many were not recorded since the last one. */
type EventAllowance = Allowance & { readonly skipped: number };

export class EventLimits {
  /**
   * By the node's id, because a node may take another name, in the order in which they are looked at; a full
   * allowance need not be stored.
   */
  readonly #byNode = new Map<string, EventAllowance>();

  /** How many nodes have an allowance stored. */
  get size(): number {
    return this.#byNode.size;
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
      if (event.action === "node.remove") this.#byNode.delete(event.subject.id);
      return admitted;
    });
  }

  #admitOfNode(event: NewEvent, node: string, nowMs: number): readonly NewEvent[] {
    const before = this.#byNode.get(node) ?? { left: eventsAllowed.full, atMs: nowMs, skipped: 0 };
    const { skipped } = before;
    const after = takeOne(before, eventsAllowed, nowMs);
    if (after === null) {
      this.#byNode.set(node, { ...refill(before, eventsAllowed, nowMs), skipped: skipped + 1 });
      return [];
    }
    this.#byNode.set(node, { ...after, skipped: 0 });
    this.#removeSomeFull(nowMs);
    return skipped === 0 ? [event] : [gapEvent(event, node, skipped), event];
  }

  /**
   * Removes nodes that caused no event for so long that their allowance is full again. Looks at the next few
   * only, so that an event costs the same however many nodes there are.
   */
  #removeSomeFull(nowMs: number): void {
    const order = this.#byNode.entries();
    for (let examined = 0; examined < examinedPerEvent; examined += 1) {
      const { value } = order.next();
      if (value === undefined) return;
      const [node, allowance] = value;
      this.#byNode.delete(node);
      const { left } = refill(allowance, eventsAllowed, nowMs);
      if (left < eventsAllowed.full || allowance.skipped > 0) this.#byNode.set(node, allowance);
    }
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
