// One slot's reconciliation: stops the tasks it must not have and creates the one it lacks.
//
// A slot is settled when it has exactly one wanted task, made from the current spec, on a node that may run
// it. A running task that needs replacement stays until its replacement runs, so that the service never loses
// capacity. Only an update with `order: stop-first` stops the old task before the new one runs.

import { isNodeDown } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isAlive, type Task } from "../model/task.ts";
import type { UnplacedTask } from "../scheduler/node-choice.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { replacementTexts } from "./replacement.ts";
import { hasEndedByItself, isWithoutSuccessor, nextStart } from "./restart.ts";
import type { SlotView } from "./slot-view.ts";
import type { Slot } from "./slots.ts";
import { updatePolicyOf } from "./update-policy.ts";

/**
 * Brings a slot as close to settled as it can be now. Returns its task that still needs a node; null if none
 * does.
 *
 * @see docs/decisions/0005-replace-then-remove.md
 */
export function reconcileSlot(view: SlotView, service: Service, plan: PlanBuilder): UnplacedTask | null {
  stopOthers(view, plan);
  const keeper = view.keeper ?? createSuccessor(view, service, plan);
  if (keeper === null) return null;
  const { outgoing } = view;
  const stopsFirst = updatePolicyOf(service).order === "stop-first" && outgoing?.reason === "update";
  if (view.keeper === null && stopsFirst) plan.stop(outgoing.task, replacementTexts.update);
  // These dead tasks have a successor now.
  for (const task of view.slot.tasks) {
    if (isWithoutSuccessor(task)) plan.change(task, { desired: "shutdown" });
  }
  if (keeper.nodeId !== null) return null;
  return { task: keeper, service, outgoingNodeId: outgoing?.task.nodeId ?? null };
}

/** Stops every wanted task of a slot except the keeper and the outgoing task. */
export function stopOthers({ surplus, othersToReplace }: SlotView, plan: PlanBuilder): void {
  for (const task of surplus) plan.stop(task, "its slot keeps another task");
  for (const { task, reason } of othersToReplace) plan.stop(task, replacementTexts[reason]);
}

/** True if `order: stop-first` forbids placing the slot's task because the old one has not stopped yet. */
export function isWaitingForStop(slot: Slot, service: Service, plan: PlanBuilder): boolean {
  if (updatePolicyOf(service).order !== "stop-first") return false;
  return slot.tasks.some((task) => {
    const latest = plan.latest(task);
    if (latest?.desired !== "shutdown" || !isAlive(latest)) return false;
    if (latest.runHash === service.runHash) return false;
    const node = plan.world.nodes.get(latest.nodeId ?? "");
    return node !== undefined && !isNodeDown(node);
  });
}

/** Creates the next task of a slot without a keeper; null if the restart policy allows none. */
function createSuccessor(view: SlotView, service: Service, plan: PlanBuilder): Task | null {
  const { slot } = view;
  const start = nextStart(slot.tasks, service, plan.nowMs);
  return start === null ? null : plan.create(service, slot, start, successorReason(view));
}

function successorReason({ slot, outgoing, othersToReplace }: SlotView): string {
  const replaced = outgoing ?? othersToReplace[0];
  if (replaced !== undefined) return `replaces a task: ${replacementTexts[replaced.reason]}`;
  const ended = slot.tasks.findLast((task) => isWithoutSuccessor(task) && hasEndedByItself(task));
  if (ended === undefined) return "its slot is empty";
  if (ended.state === "rejected") return "replaces a task: it was rejected";
  return `replaces a task: it ${ended.state === "complete" ? "completed" : "failed"}`;
}
