// Forgotten nodes: nodes that are down and will not come back are removed without an operator, so that the
// registry's work does not grow with the machines that ever joined. Docker keeps them until `docker node rm`.

import { isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { closeCodes } from "../protocol/agent.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { rotateGatewayKey } from "./gateway-keys.ts";

/** How long a node is kept after it went down, milliseconds: long enough for a holiday's outage. */
const downKeptMs = 7 * 24 * 60 * 60_000;
/** The same for a node whose agent never was accepted. */
const unseenKeptMs = 60 * 60_000;
/** Nodes that are down and kept. Beyond that those are forgotten that an operator never changed, oldest first. */
const maxDownNodes = 100;

/** Removes the nodes whose time is over, and sets the deadline for the next one. */
export function forgetNodes(draft: Draft): void {
  const down = [...draft.world.nodes.values()].filter(isNodeDown).sort(byWorth);
  const kept = down.filter((node, index) => {
    const isOver = forgottenAtMs(node) <= draft.nowMs;
    if (isOver) forgetNode(draft, node, `down since ${new Date(node.stateSinceMs).toISOString()}`);
    else if (index >= maxDownNodes) forgetNode(draft, node, `more than ${maxDownNodes} nodes are down`);
    else return true;
    return false;
  });
  draft.store.setDeadline("forget", kept.length === 0 ? null : Math.min(...kept.map(forgottenAtMs)));
}

/** Removes the nodes that a node which says its first hello replaces: those of its name that are down. */
export function forgetPredecessors(draft: Draft, node: MeshNode): void {
  for (const other of draft.world.nodes.values()) {
    if (other.id === node.id || other.hostname !== node.hostname || !isNodeDown(other)) continue;
    forgetNode(draft, other, `${node.id} joined under its name`);
  }
}

/**
 * Removes a node and its credential, and closes its agent's socket. Reconcile orphans its tasks. A machine that
 * may have the keys of the mesh could go on as a router: they are replaced.
 */
export function forgetNode(draft: Draft, node: MeshNode, why: string, actor = "registry"): void {
  draft.remove("nodes", node.id);
  draft.store.forgetNode(node.id);
  draft.close(node.id, closeCodes.notAMember, "the node was removed from the mesh");
  // Nodes of an earlier release do not have `mayHaveKeys`.
  const mayHaveKeys = node.mayHaveKeys === true || node.listeners !== undefined;
  const reasons = [why, mayHaveKeys ? "it had the keys of the mesh, which are replaced" : ""];
  draft.recordEvent(
    actor,
    "node.remove",
    nodeSubject(node),
    reasons.filter((text) => text !== "").join("; "),
  );
  if (mayHaveKeys) rotateGatewayKey(draft, "registry");
}

function forgottenAtMs({ stateSinceMs, wasReady }: MeshNode): number {
  return stateSinceMs + (wasReady === true ? downKeptMs : unseenKeptMs);
}

/** Nodes that an operator changed first, then those that were connected, each group by when they went down. */
function byWorth(a: MeshNode, b: MeshNode): number {
  const worth = (node: MeshNode) => (node.version > 1 ? 2 : 0) + (node.wasReady === true ? 1 : 0);
  return worth(b) - worth(a) || b.stateSinceMs - a.stateSinceMs || (a.id < b.id ? -1 : 1);
}
