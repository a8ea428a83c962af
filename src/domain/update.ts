// An update: the slots of a service move to its new spec a few at a time, and stop moving when the new tasks do not run.

import type { Node } from "./node.ts";
import { nodeDown } from "./nodes.ts";
import { endedByItself, isUnanswered } from "./restart.ts";
import type { Service } from "./service.ts";
import type { SlotView } from "./settle-slot.ts";
import { isAlive } from "./task.ts";

/**
 * How many more slots an update may touch now: its parallelism (0: all) less the slots that are between the old spec
 * and the new. A new task that fails stays in between until it runs, so that a bad update goes no further than its
 * first slots.
 */
export function updateTurns(
  views: readonly SlotView[],
  service: Service,
  nodes: ReadonlyMap<string, Node>,
  nowMs: number,
): number {
  const { parallelism } = service.spec.update;
  if (parallelism === 0) return Number.POSITIVE_INFINITY;
  return parallelism - views.filter((view) => isBetween(view, service, nodes, nowMs)).length;
}

/** True when settling this slot would begin its update, for which it has to have a turn. */
export function needsTurn(view: SlotView, service: Service): boolean {
  return (
    view.keeper === null && view.outgoing?.reason === "update" && failedAnew(view, service) === undefined
  );
}

/** True while a slot has left the old spec and not arrived at the new one. */
function isBetween(
  view: SlotView,
  service: Service,
  nodes: ReadonlyMap<string, Node>,
  nowMs: number,
): boolean {
  const { keeper, outgoing } = view;
  if (keeper === null) return failedAnew(view, service) !== undefined;
  if (keeper.state === "running") return false;
  if (outgoing?.reason === "update" || keeper.nodeId !== null || keeper.notBeforeMs > nowMs) return true;
  // Still without a place. That holds the update up if the update took the slot's task away, and not where the slot
  // never had one or lost it with its node.
  const before = view.slot.tasks.findLast(({ runHash }) => runHash !== service.runHash);
  if (before === undefined || before.state === "orphaned") return false;
  const node = nodes.get(before.nodeId ?? "");
  return !(isAlive(before) && node !== undefined && nodeDown(node));
}

/** The task of the new spec that failed and has not been followed by another. */
function failedAnew({ slot }: SlotView, service: Service) {
  return slot.tasks.findLast(
    (task) =>
      isUnanswered(task) &&
      endedByItself(task) &&
      task.state !== "complete" &&
      task.runHash === service.runHash,
  );
}
