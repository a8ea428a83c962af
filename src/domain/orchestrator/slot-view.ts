// A slot's wanted tasks, grouped by what reconciling does with them: keep, replace, or stop as surplus.

import type { Constraint } from "../model/constraint.ts";
import type { MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isWanted, type Task } from "../model/task.ts";
import { bestTask, replacementReason, type TaskToReplace } from "./replacement.ts";
import type { Slot } from "./slots.ts";

export type SlotView = {
  readonly slot: Slot;
  /** The best task that needs no replacement; null if every wanted task needs one. */
  readonly keeper: Task | null;
  /** Surplus tasks: they need no replacement, but a slot keeps only one task. */
  readonly surplus: readonly Task[];
  /** The running task that needs replacement and serves until the keeper runs. */
  readonly outgoing: TaskToReplace | null;
  /** The other tasks that need replacement; they are stopped at once. */
  readonly othersToReplace: readonly TaskToReplace[];
};

export function viewSlot(
  slot: Slot,
  service: Service,
  constraints: readonly Constraint[],
  nodes: ReadonlyMap<string, MeshNode>,
): SlotView {
  const staying: Task[] = [];
  const toReplace: TaskToReplace[] = [];
  for (const task of slot.tasks) {
    if (!isWanted(task)) continue;
    const reason = replacementReason(task, service, constraints, nodes.get(task.nodeId ?? ""));
    if (reason === null) staying.push(task);
    else toReplace.push({ task, reason });
  }
  const keeper = bestTask(staying, nodes);
  const running = toReplace.map(({ task }) => task).filter(({ state }) => state === "running");
  const outgoing = keeper?.state === "running" ? null : bestTask(running, nodes);
  return {
    slot,
    keeper,
    surplus: staying.filter((task) => task !== keeper),
    outgoing: toReplace.find(({ task }) => task === outgoing) ?? null,
    othersToReplace: toReplace.filter(({ task }) => task !== outgoing),
  };
}
