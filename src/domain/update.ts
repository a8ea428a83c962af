// An update: the slots of a service move to its new spec a few at a time, and stop moving when the new tasks do not run.
//
// Nothing remembers that an update is under way: it is read off the slots each time. What is read must not depend on
// whether a task has been placed yet, nor on the time, so that one look at the world and the next agree on it.

import type { Changes } from "./changes.ts";
import { nodeDown } from "./nodes.ts";
import { endedByItself, isUnanswered, nextStart } from "./restart.ts";
import type { Service } from "./service.ts";
import type { SlotView } from "./settle-slot.ts";
import { isAlive, type Task, taskStates } from "./task.ts";

/**
 * How many more slots an update may touch now: its parallelism (0: all) less the slots that are between the old spec
 * and the new. A new task that fails stays in between until it runs, so that a bad update goes no further than its
 * first slots.
 */
export function updateTurns(views: readonly SlotView[], service: Service, changes: Changes): number {
  const { parallelism } = service.spec.update;
  if (parallelism === 0) return Number.POSITIVE_INFINITY;
  return parallelism - views.filter((view) => isBetween(view, service, changes)).length;
}

/** True when settling this slot would begin its update, for which it has to have a turn. */
export function needsTurn({ slot, keeper, outgoing }: SlotView, service: Service): boolean {
  const begun = slot.tasks.some((task) => isUnanswered(task) && endedAnew(task, service));
  return keeper === null && outgoing?.reason === "update" && !begun;
}

/** True while a slot has left the old spec and not arrived at the new one. */
function isBetween(view: SlotView, service: Service, changes: Changes): boolean {
  const { slot, keeper, outgoing } = view;
  if (keeper?.state === "running" || needsTurn(view, service)) return false;
  if (outgoing?.reason === "update") return true;
  const last = slot.tasks.findLast(isUnanswered);
  const isOver = keeper === null && nextStart(slot.tasks, service, changes.nowMs) === null;
  if (isOver) return last?.state !== "complete";
  return slot.tasks.some((task) => endedAnew(task, service)) || tookOver(slot.tasks, service, changes);
}

function endedAnew(task: Task, service: Service): boolean {
  return endedByItself(task) && task.runHash === service.runHash;
}

/**
 * True where an update took the slot's task of the old spec away: one is still stopping, or the last one was stopped.
 * One that was lost with its node, or was never there, does not hold an update up: its slot may find no place for long.
 */
function tookOver(tasks: readonly Task[], service: Service, { world: { nodes } }: Changes): boolean {
  const old = tasks.filter(
    ({ runHash, state }) => runHash !== service.runHash && taskStates[state] >= taskStates.assigned,
  );
  const lives = (task: Task) => {
    const node = nodes.get(task.nodeId ?? "");
    return isAlive(task) && node !== undefined && !nodeDown(node);
  };
  const last = old.at(-1);
  return old.some(lives) || (last !== undefined && !isAlive(last) && last.state !== "orphaned");
}
