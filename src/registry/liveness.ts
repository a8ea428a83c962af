// Liveness: which nodes are heard, and what follows when one is not.
//
// An agent's pings are answered without waking the registry, and nothing is written for them. A sweep reads when each
// socket was last heard, marks down the nodes that missed their beats, and says when to look again: not before the
// node heard longest ago could have missed its own. A node without a socket counts as heard until its socket went.
//
// Silence is only a node's fault while the registry listens. When a sweep comes much later than it was due, the
// registry itself was away (its process stopped, its host moved) and every node is given the whole time anew.

import type { MeshNode } from "../domain/model/node.ts";
import { closeCodes, heartbeatMs, maxMissedHeartbeats } from "../protocol/agent.ts";
import { type Draft, nodeSubject } from "./draft.ts";

/** How long a node may be unheard before it is down, milliseconds. */
export const nodeGraceMs = heartbeatMs * maxMissedHeartbeats;

/**
 * Marks down the nodes unheard for `graceMs` and sets the next sweep.
 *
 * @param heard when each node with an open socket was last heard, epoch milliseconds
 */
export function sweep(draft: Draft, heard: ReadonlyMap<string, number>): void {
  const { nowMs, store } = draft;
  const dueMs = store.deadline("liveness");
  if (dueMs !== null && nowMs - dueMs > heartbeatMs) store.setMeta("listeningSinceMs", String(nowMs));
  const listeningSinceMs = Number(store.meta("listeningSinceMs") ?? 0);
  recordLostSockets(draft, heard);
  const lostAt = store.disconnectedAt();
  let nextMs: number | null = null;
  for (const node of draft.world.nodes.values()) {
    if (node.state === "down") continue;
    const heardMs = Math.max(heard.get(node.id) ?? lostAt.get(node.id) ?? 0, listeningSinceMs);
    const downAtMs = Math.min(heardMs, nowMs) + nodeGraceMs;
    if (downAtMs <= nowMs) {
      markDown(draft, node, "heartbeat failure", "registry");
      draft.close(node.id, closeCodes.missedHeartbeats, "missed its beats");
    } else if (nextMs === null || downAtMs < nextMs) nextMs = downAtMs;
  }
  store.setDeadline("liveness", nextMs);
}

/** Takes note after a start of the registry: a node whose socket did not outlive it has `graceMs` to redial. */
export function recordStart(draft: Draft, connected: ReadonlySet<string>): void {
  recordLostSockets(draft, new Map([...connected].map((id) => [id, draft.nowMs])));
  if ([...draft.world.nodes.values()].some(({ state }) => state !== "down")) scheduleSweep(draft);
}

/** Takes note that a node's last socket closed: it stays ready for `graceMs`. */
export function recordDisconnect(draft: Draft, nodeId: string): void {
  const node = draft.world.nodes.get(nodeId);
  if (node === undefined || node.state === "down") return;
  draft.store.setDisconnectedAt(nodeId, draft.nowMs);
  scheduleSweep(draft);
}

/** Makes sure that a sweep comes within `graceMs`. */
export function scheduleSweep(draft: Draft): void {
  if (draft.store.deadline("liveness") === null)
    draft.store.setDeadline("liveness", draft.nowMs + nodeGraceMs);
}

/** Makes a node down; its tasks are for reconcile to replace. */
export function markDown(draft: Draft, node: MeshNode, message: string, actor: string): void {
  const { nowMs } = draft;
  draft.store.setDisconnectedAt(node.id, null);
  draft.put("nodes", {
    ...node,
    state: "down",
    message,
    stateSinceMs: nowMs,
    updatedAtMs: nowMs,
    leaving: false,
  });
  draft.recordEvent(actor, "node.down", nodeSubject(node), message);
}

/** A socket may vanish without its close being told (a reset takes both): it is lost since it was first missed. */
function recordLostSockets(draft: Draft, heard: ReadonlyMap<string, number>): void {
  const lostAt = draft.store.disconnectedAt();
  for (const { id, state } of draft.world.nodes.values()) {
    if (state !== "down" && !heard.has(id) && !lostAt.has(id)) draft.store.setDisconnectedAt(id, draft.nowMs);
  }
}
