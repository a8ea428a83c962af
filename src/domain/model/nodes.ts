// What the rest of the mesh asks of a node: is it heard, may it take tasks.

import type { MeshNode } from "./node.ts";

/** Down: its tasks are replaced elsewhere. A node only disconnected or unknown keeps them for now. */
export function isNodeDown(node: Pick<MeshNode, "state">): boolean {
  return node.state === "down";
}

/** Heard from; says nothing of what the operator wants of it. */
export function isNodeReady(node: Pick<MeshNode, "state">): boolean {
  return node.state === "ready";
}

/** May be given new tasks. */
export function canTakeTasks(node: Pick<MeshNode, "state" | "availability">): boolean {
  return node.state === "ready" && node.availability === "active";
}
