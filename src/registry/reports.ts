// Reports: an agent's observations of its own tasks.

import { MeshError } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import { applyReport } from "../domain/model/task-report.ts";
import type { TaskReport } from "../protocol/agent.ts";
import { checkEndpoints } from "./addresses.ts";
import { type Draft, taskSubject } from "./draft.ts";

/**
 * Applies a node's reports about its own tasks, all or none. A report may be repeated. A report about a
 * deleted task is answered with the assignment, which no longer has the task.
 *
 * @throws MeshError report/forbidden for a task of another node, address/invalid for an endpoint,
 *   node/not-found
 */
export function applyReports(draft: Draft, nodeId: string, reports: readonly TaskReport[]): void {
  const node = memberNode(draft, nodeId);
  for (const report of reports) {
    const task = draft.world.tasks.get(report.id);
    if (task === undefined) {
      draft.resend.add(nodeId);
      continue;
    }
    if (task.nodeId !== nodeId) throw foreignTask(draft, task, node.hostname);
    checkEndpoints(report.endpoints, task);
    // The agent runs a task that is dead here. Its assignment tells it to stop the task.
    if (!isAlive(task) && isAlive(report)) draft.resend.add(nodeId);
    // An agent's clock may be ahead of the registry's; no observation is from the future.
    const observation = { ...report, atMs: Math.min(report.atMs, draft.nowMs) };
    const next = applyReport(task, observation, draft.nowMs);
    if (next === task) continue;
    draft.put("tasks", next);
    recordChange(draft, `node ${node.hostname}`, task, next);
  }
}

/** An agent's node. @throws MeshError node/not-found if it was removed: its machine must join again */
export function memberNode(draft: Draft, nodeId: string): MeshNode {
  const node = draft.world.nodes.get(nodeId);
  if (node !== undefined) return node;
  throw new MeshError("node/not-found", `node ${nodeId} not found`, { blame: "node", retry: "never" });
}

/** States that are worth an event. The steps before them follow one another within moments. */
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
    `task ${task.id} belongs to ${owner}, not to ${hostname}: a node may report only its own tasks`,
    { blame: "node", retry: "never" },
  );
}
