// A slot as it has to be settled: which of its wanted tasks stays, and which have to be replaced or are surplus.

import type { Constraint } from "../model/constraint.ts";
import type { MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isWanted, type Task } from "../model/task.ts";
import { bestTask, replacementReason, type TaskToReplace } from "./replacement.ts";
import type { Slot } from "./slots.ts";

/** A slot looked at: who stays, who goes. */
export type SlotView = {
  readonly slot: Slot;
  /** The wanted task worth keeping. */
  readonly keeper: Task | null;
  /** Wanted tasks beside the keeper that may stay but are one too many. */
  readonly surplus: readonly Task[];
  /** The running leaver that serves on until a keeper runs. */
  readonly outgoing: TaskToReplace | null;
  readonly othersToReplace: readonly TaskToReplace[];
};

export function viewSlot(
  slot: Slot,
  service: Service,
  constraints: readonly Constraint[],
  nodes: ReadonlyMap<string, MeshNode>,
): SlotView {
  const staying: Task[] = [];
  const leavers: TaskToReplace[] = [];
  for (const task of slot.tasks) {
    if (!isWanted(task)) continue;
    const reason = replacementReason(task, service, constraints, nodes.get(task.nodeId ?? ""));
    if (reason === null) staying.push(task);
    else leavers.push({ task, reason });
  }
  const keeper = bestTask(staying, nodes);
  const running = leavers.map(({ task }) => task).filter(({ state }) => state === "running");
  const last = keeper?.state === "running" ? null : bestTask(running, nodes);
  return {
    slot,
    keeper,
    surplus: staying.filter((task) => task !== keeper),
    outgoing: leavers.find(({ task }) => task === last) ?? null,
    othersToReplace: leavers.filter(({ task }) => task !== last),
  };
}
