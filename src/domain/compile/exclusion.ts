// Left out: why a task of a service is not in the routing table, for the person who looks for it there.

import { isNodeDown, type MeshNode } from "../model/node.ts";
import type { Task } from "../model/task.ts";
import { isRoutable } from "./compile-table.ts";

/**
 * Why compiling left a task out, as a clause: `it is unhealthy (L4CON in 0ms)`.
 *
 * @param node its node; undefined where it has none, or none any more
 * @returns null for a task that is in the table, or would be if its service had no other
 * @see docs/spec.md R1, R5, R6
 */
export function exclusionReason(task: Task, node: MeshNode | undefined): string | null {
  if (task.desired !== "running") return "it is to stop";
  if (task.state !== "running") return `it is ${task.state}${inParentheses(task.err)}`;
  if (task.endpoints.length === 0) return "it listens on no published port";
  if (task.admin === "maint") return "the operator has it in maint";
  if (!isRoutable(task)) return `it is ${task.health?.verdict}${inParentheses(task.health?.lastCheck ?? "")}`;
  if (node === undefined) return "its node was removed";
  return isNodeDown(node) ? `its node ${node.hostname} is down, and others take its requests` : null;
}

function inParentheses(why: string): string {
  return why === "" ? "" : ` (${why})`;
}
