// Converge: from what a node must run and what it runs to what is to be done.

import type { AssignedTask } from "../protocol/agent.ts";

/** How far a task known to the agent is: being made or running, on its way down, over. */
export type TaskPhase = "alive" | "stopping" | "ended";

export type AgentAction =
  | { readonly kind: "start"; readonly task: AssignedTask }
  /** Stop it, `drainDelayMs` after now when it takes traffic. One that is not released yet is left as it is. */
  | { readonly kind: "stop"; readonly id: string }
  /** It was to stop before it was ever started here: say that it is over. */
  | { readonly kind: "decline"; readonly task: AssignedTask }
  /** Its end has been taken note of by the registry. */
  | { readonly kind: "forget"; readonly id: string };

/**
 * Level-triggered: the whole assignment each time, whatever was missed before. What is not in it must not run; what
 * has ended here never starts again, since a task is one run.
 *
 * A task that is to stop but is not released goes on for as long as it takes: routers may still send it requests, and
 * if the registry is gone they will not hear of a table without it either.
 *
 * @param mayStart false while the node leaves
 */
export function reconcileTasks(
  assigned: readonly AssignedTask[],
  known: ReadonlyMap<string, TaskPhase>,
  mayStart: boolean,
): readonly AgentAction[] {
  const wanted = new Map(assigned.map((task) => [task.id, task]));
  const actions: AgentAction[] = [];
  for (const [id, phase] of known) {
    const task = wanted.get(id);
    const stays = task !== undefined && (task.desired === "running" || task.released === false);
    if (phase === "alive" && !stays) actions.push({ kind: "stop", id });
    if (phase === "ended" && !wanted.has(id)) actions.push({ kind: "forget", id });
  }
  for (const task of wanted.values()) {
    if (known.has(task.id)) continue;
    if (task.desired !== "running") actions.push({ kind: "decline", task });
    else if (mayStart) actions.push({ kind: "start", task });
  }
  return actions;
}
