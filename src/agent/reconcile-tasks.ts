// Compares the tasks assigned to a node with the tasks it has, and decides what to start and stop.

import type { AssignedTask } from "../protocol/agent.ts";

/** The phase of a task that the agent knows: starting or running, stopping, or ended. */
export type TaskPhase = "alive" | "stopping" | "ended";

export type AgentAction =
  | { readonly kind: "start"; readonly task: AssignedTask }
  /** Stop the task; after the drain delay if it takes traffic. */
  | { readonly kind: "stop"; readonly id: string }
  /** Report a task as shut down that was never started here. */
  | { readonly kind: "decline"; readonly task: AssignedTask }
  /** Drop an ended task: the registry knows that it has ended. */
  | { readonly kind: "forget"; readonly id: string };

/**
 * Decides from the whole assignment each time (level-triggered), so that a missed one does not matter. A task
 * that is not assigned must stop. A task that has ended never starts again, because a task is one run.
 *
 * A task with another desired state than `running` keeps running until the registry releases it: routers may
 * still send it requests, and while the registry is unavailable they get no newer routing table.
 *
 * @param mayStart false while the node is leaving
 */
export function reconcileTasks(
  assigned: readonly AssignedTask[],
  known: ReadonlyMap<string, TaskPhase>,
  mayStart: boolean,
): readonly AgentAction[] {
  const assignedById = new Map(assigned.map((task) => [task.id, task]));
  const actions: AgentAction[] = [];
  for (const [id, phase] of known) {
    const task = assignedById.get(id);
    const mustRun = task !== undefined && (task.desired === "running" || task.released === false);
    if (phase === "alive" && !mustRun) actions.push({ kind: "stop", id });
    if (phase === "ended" && task === undefined) actions.push({ kind: "forget", id });
  }
  for (const task of assignedById.values()) {
    if (known.has(task.id)) continue;
    if (task.desired !== "running") actions.push({ kind: "decline", task });
    else if (mayStart) actions.push({ kind: "start", task });
  }
  return actions;
}
