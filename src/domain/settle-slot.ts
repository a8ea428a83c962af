// Settling a slot: what becomes of its tasks, and whether another one follows.
//
// A slot is settled when exactly one wanted task is in it, on a node it may be on, made from the service as it is now.
// A running task that has to go (a leaver) stays until such a one runs, so that the service is never short of what it
// had; only an update in the order `stop-first` gives up the old before the new is there.

import type { Changes } from "./changes.ts";
import type { Constraint } from "./constraint.ts";
import { bestOf, isWanted, type Leaver, reasons, whyGo } from "./fate.ts";
import { nodeDown } from "./nodes.ts";
import { endedByItself, isUnanswered, nextStart } from "./restart.ts";
import type { Service } from "./service.ts";
import type { Slot } from "./slots.ts";
import { isAlive, type Task } from "./task.ts";
import { policyOf } from "./update.ts";

/** A slot looked at: who stays, who goes. */
export type SlotView = {
  readonly slot: Slot;
  /** The wanted task worth keeping. */
  readonly keeper: Task | null;
  /** Wanted tasks beside the keeper that may stay but are one too many. */
  readonly spare: readonly Task[];
  /** The running leaver that serves on until a keeper runs. */
  readonly outgoing: Leaver | null;
  readonly otherLeavers: readonly Leaver[];
};

/** A task waiting to be placed, and the node of the task it is to replace, which is about to leave. */
export type Waiting = {
  readonly task: Task;
  readonly service: Service;
  readonly outgoingNodeId: string | null;
};

export function viewSlot(
  slot: Slot,
  service: Service,
  constraints: readonly Constraint[],
  { world: { nodes } }: Changes,
): SlotView {
  const staying: Task[] = [];
  const leavers: Leaver[] = [];
  for (const task of slot.tasks) {
    if (!isWanted(task)) continue;
    const reason = whyGo(task, service, constraints, nodes.get(task.nodeId ?? ""));
    if (reason === null) staying.push(task);
    else leavers.push({ task, reason });
  }
  const keeper = bestOf(staying, nodes);
  const running = leavers.map(({ task }) => task).filter(({ state }) => state === "running");
  const last = keeper?.state === "running" ? null : bestOf(running, nodes);
  return {
    slot,
    keeper,
    spare: staying.filter((task) => task !== keeper),
    outgoing: leavers.find(({ task }) => task === last) ?? null,
    otherLeavers: leavers.filter(({ task }) => task !== last),
  };
}

/** Settles a slot as far as it can be now. Returns the task in it that waits for a place, if there is one. */
export function settleSlot(view: SlotView, service: Service, changes: Changes): Waiting | null {
  dismissOthers(view, changes);
  const keeper = view.keeper ?? follow(view, service, changes);
  if (keeper === null) return null;
  const { outgoing } = view;
  const stopsFirst = policyOf(service).order === "stop-first" && outgoing?.reason === "update";
  if (view.keeper === null && stopsFirst) changes.stop(outgoing.task, reasons.update);
  for (const task of view.slot.tasks) if (isUnanswered(task)) changes.change(task, { desired: "shutdown" });
  if (keeper.nodeId !== null) return null;
  return { task: keeper, service, outgoingNodeId: outgoing?.task.nodeId ?? null };
}

/** Stops the tasks of a slot that neither stay nor serve on. */
export function dismissOthers({ spare, otherLeavers }: SlotView, changes: Changes): void {
  for (const task of spare) changes.stop(task, "another task of its slot is kept");
  for (const { task, reason } of otherLeavers) changes.stop(task, reasons[reason]);
}

/** True when the slot's task may not be placed yet, because by `stop-first` the one before it has to end. */
export function waitsForStop(slot: Slot, service: Service, changes: Changes): boolean {
  if (policyOf(service).order !== "stop-first") return false;
  return slot.tasks.some((task) => {
    const latest = changes.latest(task);
    if (latest?.desired !== "shutdown" || !isAlive(latest) || latest.runHash === service.runHash)
      return false;
    const node = changes.world.nodes.get(latest.nodeId ?? "");
    return node !== undefined && !nodeDown(node);
  });
}

/** The next task of a slot that has no keeper; null when its restart policy says that none follows. */
function follow({ slot, outgoing, otherLeavers }: SlotView, service: Service, changes: Changes): Task | null {
  const start = nextStart(slot.tasks, service, changes.nowMs);
  if (start === null) return null;
  const ended = slot.tasks.findLast((task) => isUnanswered(task) && endedByItself(task));
  const leaver = outgoing ?? otherLeavers[0];
  const why =
    leaver !== undefined
      ? `replaces a task: ${reasons[leaver.reason]}`
      : ended !== undefined
        ? `replaces a task: it ${ended.state === "complete" ? "completed" : `was ${ended.state}`}`
        : "its slot is empty";
  return changes.create(service, slot, start, why);
}
