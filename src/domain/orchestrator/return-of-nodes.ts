// The return of nodes after a loss of all of them, such as a restart of every machine.
//
// Nodes come back one by one. Without a pause the first one would get the tasks of all others, and running
// tasks are not moved later. So the tasks of a lost node are replaced only some time after the first node is
// back; until then a node that returns keeps its own.

import { canTakeTasks, isNodeDown, type MeshNode } from "../model/node.ts";

/** How long the first node that returns waits for the others, milliseconds: an agent's heartbeat interval. */
const returnWindowMs = 5_000;

/**
 * Until when the tasks of lost nodes are not replaced because nodes are returning: null unless every node that can take tasks
 * became ready less than `returnWindowMs` ago and an active one is lost. A single lost node delays nothing.
 *
 * @see docs/spec.md S21-S22
 */
export function replacingHeldUntilMs(nodes: Iterable<MeshNode>, nowMs: number): number | null {
  let firstReadyMs = Number.POSITIVE_INFINITY;
  let isAnyLost = false;
  for (const node of nodes) {
    if (canTakeTasks(node)) firstReadyMs = Math.min(firstReadyMs, node.stateSinceMs);
    else if (node.availability === "active" && isNodeDown(node)) isAnyLost = true;
  }
  const untilMs = firstReadyMs + returnWindowMs;
  return isAnyLost && untilMs < Number.POSITIVE_INFINITY && untilMs > nowMs ? untilMs : null;
}
