// Reports: what an agent says of its tasks, and nobody else's.

import { MeshError } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import { applyReport } from "../domain/model/task-report.ts";
import type { TaskReport } from "../protocol/agent.ts";
import { checkEndpoints } from "./addresses.ts";
import { type Draft, taskSubject } from "./draft.ts";

/**
 * Applies reports of a node about its own tasks; all of them or none. A report may be repeated, and one about a task
 * that was deleted meanwhile is answered with the assignment, in which the task no longer is.
 *
 * @throws MeshError report/forbidden when a task is not this node's, address/invalid when an endpoint cannot be,
 *   node/not-found
 */
export function applyReports(draft: Draft, nodeId: string, reports: readonly TaskReport[]): void {
  const node = memberNode(draft, nodeId);
  for (const seen of reports) {
    const task = draft.world.tasks.get(seen.id);
    if (task === undefined) {
      draft.resend.add(nodeId);
      continue;
    }
    if (task.nodeId !== nodeId) throw foreignTask(draft, task, node.hostname);
    checkEndpoints(seen.endpoints, node, task, draft.context.mode);
    // It runs what is known as dead: told its assignment again, it finds that the task must not run.
    if (!isAlive(task) && isAlive(seen)) draft.resend.add(nodeId);
    // An agent's clock may run ahead of ours; nothing it saw can lie in our future.
    const next = applyReport(task, { ...seen, atMs: Math.min(seen.atMs, draft.nowMs) }, draft.nowMs);
    if (next === task) continue;
    draft.put("tasks", next);
    recordChange(draft, `node ${node.hostname}`, task, next);
  }
}

/** The node an agent speaks for. One that is no more cannot come back: its machine has to join again. */
export function memberNode(draft: Draft, nodeId: string): MeshNode {
  const node = draft.world.nodes.get(nodeId);
  if (node !== undefined) return node;
  throw new MeshError("node/not-found", `node ${nodeId} not found`, { blame: "node", retry: "never" });
}

/** States worth an event; the steps to them follow one another within a moment. */
const recordedStates: ReadonlySet<Task["state"]> = new Set([
  "running",
  "complete",
  "shutdown",
  "failed",
  "rejected",
]);

function recordChange(draft: Draft, actor: string, before: Task, after: Task): void {
  const subject = taskSubject(draft.world, after);
  if (after.state !== before.state) {
    if (recordedStates.has(after.state)) draft.recordEvent(actor, `task.${after.state}`, subject, after.err);
    return;
  }
  const verdict = after.health?.verdict;
  if (verdict === undefined || verdict === before.health?.verdict || verdict === "starting") return;
  draft.recordEvent(actor, `task.${verdict}`, subject, after.health?.lastCheck ?? "");
}

function foreignTask(draft: Draft, task: Task, hostname: string): MeshError {
  const owner = draft.world.nodes.get(task.nodeId ?? "")?.hostname ?? "no node";
  return new MeshError(
    "report/forbidden",
    `task ${task.id} belongs to ${owner}, not to ${hostname}: a node may only speak for its own tasks`,
    { blame: "node", retry: "never" },
  );
}
