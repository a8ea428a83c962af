// Whether a task must be replaced, and which of several tasks of a slot is the best one to keep.

import { compareStrings } from "../model/compare.ts";
import { type Constraint, nodeMatches } from "../model/constraint.ts";
import { isNodeDown, isNodeReady, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { type Task, taskStates } from "../model/task.ts";

/** Why a task must be replaced, as its event says it. */
export const replacementTexts = {
  down: "its node is down",
  drain: "its node is draining",
  constraint: "assigned node no longer meets constraints",
  update: "the service was updated",
} as const;
type ReplacementReason = keyof typeof replacementTexts;

/** A task that must be replaced. */
export type TaskToReplace = { readonly task: Task; readonly reason: ReplacementReason };

/**
 * Why a wanted task must be replaced; null if it may stay. A reason of the node comes before `update`,
 * because an update moves a few slots at a time and a lost node must not wait for that. As in Swarm,
 * constraints are not enforced on a paused node.
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
 * The best of several tasks: running, then healthy, then on a ready node, then most advanced, then oldest.
 */
export function bestTask(tasks: readonly Task[], nodes: ReadonlyMap<string, MeshNode>): Task | null {
  const score = (task: Task) => {
    const node = nodes.get(task.nodeId ?? "");
    const running = task.state === "running" ? 4 : 0;
    const healthy = task.health?.verdict === "unhealthy" ? 0 : 2;
    return running + healthy + (node !== undefined && isNodeReady(node) ? 1 : 0);
  };
  const [first, ...rest] = tasks;
  if (first === undefined) return null;
  return rest.reduce((best, task) => {
    const difference =
      score(task) - score(best) ||
      taskStates[task.state] - taskStates[best.state] ||
      best.createdAtMs - task.createdAtMs ||
      compareStrings(best.id, task.id);
    return difference > 0 ? task : best;
  }, first);
}
