// Fate: whether a task may stay where it is and as it is.

import { compareStrings } from "../model/compare.ts";
import { type Constraint, nodeMatches } from "../model/constraint.ts";
import { isNodeDown, isNodeReady, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { type Task, taskStates } from "../model/task.ts";

/** Why a task has to go, in the words of its event. */
export const replacementTexts = {
  down: "its node is down",
  drain: "its node drains",
  constraint: "assigned node no longer meets constraints",
  update: "the service was updated",
} as const;
export type ReplacementReason = keyof typeof replacementTexts;

/** A task that has to go. */
export type TaskToReplace = { readonly task: Task; readonly reason: ReplacementReason };

/**
 * Why a wanted task has to go; null when it may stay. A place that is lost comes before an update, because a
 * replacement for it is not held back. As in Swarm, a constraint is not enforced on a paused node.
 */
export function replacementReason(
  task: Task,
  service: Service,
  constraints: readonly Constraint[],
  node: MeshNode | undefined,
): ReplacementReason | null {
  if (node !== undefined) {
    if (isNodeDown(node)) return "down";
    if (node.availability === "drain") return "drain";
    if (node.availability === "active" && !nodeMatches(constraints, node)) return "constraint";
  }
  return task.runHash === service.runHash ? null : "update";
}

/**
 * The one of several tasks of a slot that is worth most: running, then healthy, then on a node that is heard, then
 * furthest on its way, then the oldest.
 */
export function bestTask(tasks: readonly Task[], nodes: ReadonlyMap<string, MeshNode>): Task | null {
  const worth = (task: Task) => {
    const node = nodes.get(task.nodeId ?? "");
    const running = task.state === "running" ? 4 : 0;
    const healthy = task.health?.verdict === "unhealthy" ? 0 : 2;
    return running + healthy + (node !== undefined && isNodeReady(node) ? 1 : 0);
  };
  const [first, ...rest] = tasks;
  if (first === undefined) return null;
  return rest.reduce((best, task) => {
    const more =
      worth(task) - worth(best) ||
      taskStates[task.state] - taskStates[best.state] ||
      best.createdAtMs - task.createdAtMs ||
      compareStrings(best.id, task.id);
    return more > 0 ? task : best;
  }, first);
}
