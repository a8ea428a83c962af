// Settling a slot: what becomes of its tasks, and whether another one follows.
//
// A slot is settled when exactly one wanted task is in it, on a node it may be on, made from the service as it is now.
// A running task that has to go (a leaver) stays until such a one runs, so that the service is never short of what it
// had; only an update in the order `stop-first` gives up the old before the new is there.

import { isNodeDown } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isAlive, type Task } from "../model/task.ts";
import type { UnplacedTask } from "../scheduler/place.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { replacementTexts } from "./replacement.ts";
import { hasEndedByItself, isWithoutSuccessor, nextStart } from "./restart.ts";
import type { SlotView } from "./slot-view.ts";
import type { Slot } from "./slots.ts";
import { updatePolicyOf } from "./update.ts";

/** Settles a slot as far as it can be now. Returns the task in it that waits for a place, if there is one. */
export function reconcileSlot(view: SlotView, service: Service, changes: PlanBuilder): UnplacedTask | null {
  stopOthers(view, changes);
  const keeper = view.keeper ?? createSuccessor(view, service, changes);
  if (keeper === null) return null;
  const { outgoing } = view;
  const stopsFirst = updatePolicyOf(service).order === "stop-first" && outgoing?.reason === "update";
  if (view.keeper === null && stopsFirst) changes.stop(outgoing.task, replacementTexts.update);
  for (const task of view.slot.tasks)
    if (isWithoutSuccessor(task)) changes.change(task, { desired: "shutdown" });
  if (keeper.nodeId !== null) return null;
  return { task: keeper, service, outgoingNodeId: outgoing?.task.nodeId ?? null };
}

/** Stops the tasks of a slot that neither stay nor serve on. */
export function stopOthers({ surplus, othersToReplace }: SlotView, changes: PlanBuilder): void {
  for (const task of surplus) changes.stop(task, "another task of its slot is kept");
  for (const { task, reason } of othersToReplace) changes.stop(task, replacementTexts[reason]);
}

/** True when the slot's task may not be placed yet, because by `stop-first` the one before it has to end. */
export function isWaitingForStop(slot: Slot, service: Service, changes: PlanBuilder): boolean {
  if (updatePolicyOf(service).order !== "stop-first") return false;
  return slot.tasks.some((task) => {
    const latest = changes.latest(task);
    if (latest?.desired !== "shutdown" || !isAlive(latest) || latest.runHash === service.runHash)
      return false;
    const node = changes.world.nodes.get(latest.nodeId ?? "");
    return node !== undefined && !isNodeDown(node);
  });
}

/** The next task of a slot that has no keeper; null when its restart policy says that none follows. */
function createSuccessor(
  { slot, outgoing, othersToReplace }: SlotView,
  service: Service,
  changes: PlanBuilder,
): Task | null {
  const start = nextStart(slot.tasks, service, changes.nowMs);
  if (start === null) return null;
  const ended = slot.tasks.findLast((task) => isWithoutSuccessor(task) && hasEndedByItself(task));
  const leaver = outgoing ?? othersToReplace[0];
  const why =
    leaver !== undefined
      ? `replaces a task: ${replacementTexts[leaver.reason]}`
      : ended !== undefined
        ? `replaces a task: it ${ended.state === "complete" ? "completed" : `was ${ended.state}`}`
        : "its slot is empty";
  return changes.create(service, slot, start, why);
}
