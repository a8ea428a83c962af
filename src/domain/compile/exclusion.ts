// The reason why a task is not in the routing table, for people who look for it there.

import { isNodeDown, type MeshNode } from "../model/node.ts";
import type { Task } from "../model/task.ts";
import { isRoutable } from "./compile-table.ts";

/**
 * Why a task is not in the table, as a clause: `it is unhealthy (L4CON in 0ms)`.
 *
 * @param node its node; undefined if it has none or the node was removed
 * @returns null if nothing keeps the task out of the table
 * @see docs/spec.md R1, R5, R6
 */
export function exclusionReason(task: Task, node: MeshNode | undefined): string | null {
  if (task.desired !== "running") return "it is stopping";
  if (task.state !== "running") return `it is ${task.state}${inParentheses(task.err)}`;
  if (task.endpoints.length === 0) return "it listens on no published port";
  if (task.admin === "maint") return "its admin state is maint";
  if (!isRoutable(task)) return `it is ${task.health?.verdict}${inParentheses(task.health?.lastCheck ?? "")}`;
  if (node === undefined) return "its node was removed";
  return isNodeDown(node) ? `its node ${node.hostname} is down and other tasks get its requests` : null;
}

function inParentheses(text: string): string {
  return text === "" ? "" : ` (${text})`;
}
