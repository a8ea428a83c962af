// The return of nodes after a loss of all of them, such as a restart of every machine.
//
// Nodes come back one by one. Without a pause the first one would get the tasks of all others, and running
// tasks are not moved later. So the tasks of a lost node are replaced only some time after the first node is
// back; until then a node that returns keeps its own.

import { canTakeTasks, isNodeDown, type MeshNode } from "../model/node.ts";

/** How long the first node that returns waits for the others, milliseconds: an agent's heartbeat interval. */
const returnWindowMs = 5_000;

/** True for a node that was lost and could take tasks again if it returned. */
export function isLost(node: MeshNode | undefined): boolean {
  return node !== undefined && node.availability === "active" && isNodeDown(node);
}

/** Nodes whose tasks are not replaced before a time, epoch milliseconds. */
export type HeldNodes = { readonly ids: ReadonlySet<string>; readonly untilMs: number };

/**
 * The nodes that may still return: lost, active ones, while every node that can take tasks became ready after
 * they were lost, and less than `returnWindowMs` ago. Null without any: a single lost node delays nothing.
 *
 * @see docs/spec.md S21-S22
 */
export function nodesThatMayReturn(nodes: Iterable<MeshNode>, nowMs: number): HeldNodes | null {
  let firstReadyMs = Number.POSITIVE_INFINITY;
  const lost: MeshNode[] = [];
  for (const node of nodes) {
    if (canTakeTasks(node)) firstReadyMs = Math.min(firstReadyMs, node.stateSinceMs);
    else if (isLost(node)) lost.push(node);
  }
  const untilMs = firstReadyMs + returnWindowMs;
  if (!Number.isFinite(untilMs) || untilMs <= nowMs) return null;
  const ids = new Set(lost.filter((node) => node.stateSinceMs < firstReadyMs).map(({ id }) => id));
  return ids.size === 0 ? null : { ids, untilMs };
}
