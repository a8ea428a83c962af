// Liveness: marks down the nodes that miss their heartbeats.
//
// The platform answers an agent's pings without waking the registry, and nothing is written for them. A sweep
// reads when each socket last carried a message or a ping, marks down the nodes that were silent for too
// long, and sets the deadline of the next sweep: when the node seen longest ago may be down. A node without a
// socket was last seen when it lost its socket.
//
// If a sweep runs much later than its deadline, the registry itself was not running (its process stopped, its
// host moved). Silence during that time does not count.

import type { MeshNode } from "../domain/model/node.ts";
import { closeCodes, heartbeatMs, maxMissedHeartbeats } from "../protocol/agent.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { returningNodes } from "./returning-nodes.ts";

/** How long a node may be silent before it is down, milliseconds. */
export const nodeGraceMs = heartbeatMs * maxMissedHeartbeats;

/** Up to this many nodes redial within the agents' own backoff. */
const nodesWithoutWindow = 128;
/** Time that the registry needs for one agent that redials, milliseconds: an upgrade, a hello and its reply. */
const redialCostMs = 3;

/**
 * Over how long the agents of a mesh spread their redials, milliseconds; 0: over the agents' own backoff. It
 * changes only when the mesh doubles, because it is part of assignments.
 */
export function redialWindowMs(nodeCount: number): number {
  if (nodeCount <= nodesWithoutWindow) return 0;
  return redialCostMs * 2 ** Math.ceil(Math.log2(nodeCount));
}

/** When a node was last seen, and the platform's time of its last ping then; both epoch milliseconds. */
export type LastSeen = { readonly seenAtMs: number; readonly pingedAtMs: number };

/**
 * When a node was last seen, after the platform was asked for the time of its last ping. A ping counts from
 * when its time changed, and no time lies ahead: after the clock was set back, a node that is silent is not
 * seen until the clock has caught up.
 */
export function seeNode(before: LastSeen, pingedAtMs: number, nowMs: number): LastSeen {
  const isNew = pingedAtMs !== before.pingedAtMs;
  const seenAtMs = isNew ? Math.max(before.seenAtMs, pingedAtMs) : before.seenAtMs;
  return { seenAtMs: Math.min(seenAtMs, nowMs), pingedAtMs };
}

/**
 * Marks down the nodes that were silent for `nodeGraceMs` and sets the deadline of the next sweep. A node without a
 * socket has the time in which agents redial in addition; one whose socket vanished without a close event, as in a
 * reset of the object, is disconnected from now on.
 *
 * @param lastSeenMs by node with an open socket, epoch milliseconds
 */
export function sweep(draft: Draft, lastSeenMs: ReadonlyMap<string, number>): void {
  const { nowMs, store } = draft;
  const dueMs = store.deadline("liveness");
  if (dueMs !== null && nowMs - dueMs > heartbeatMs) store.setMeta("listeningSinceMs", String(nowMs));
  const listeningSinceMs = Number(store.meta("listeningSinceMs") ?? 0);
  const disconnectedAtMs = store.disconnectedAt();
  const redialMs = redialWindowMs(draft.world.nodes.size);
  const returning = returningNodes(store, nowMs);
  const lost: string[] = [];
  let nextMs: number | null = null;
  for (const node of draft.world.nodes.values()) {
    if (node.state === "down") continue;
    const onSocketMs = lastSeenMs.get(node.id);
    const offSocketMs = onSocketMs === undefined ? disconnectedAtMs.get(node.id) : undefined;
    if (onSocketMs === undefined && offSocketMs === undefined) lost.push(node.id);
    const graceMs = nodeGraceMs + (onSocketMs === undefined ? redialMs : 0);
    const seenMs = onSocketMs ?? offSocketMs ?? nowMs;
    const isReturning = returning !== null && onSocketMs === undefined && seenMs <= returning.sinceMs;
    const silentSinceMs = isReturning
      ? returning.untilMs
      : Math.min(Math.max(seenMs, listeningSinceMs), nowMs);
    const downAtMs = silentSinceMs + graceMs;
    if (downAtMs <= nowMs) {
      markDown(draft, node, "heartbeat failure", "registry");
      draft.close(node.id, closeCodes.missedHeartbeats, "missed its heartbeats");
      continue;
    }
    // A node that returns and is lost again must not wait for the others.
    const sweepAtMs = Math.min(downAtMs, nowMs + graceMs);
    if (nextMs === null || sweepAtMs < nextMs) nextMs = sweepAtMs;
  }
  store.setDisconnectedAt(lost, nowMs);
  store.setDeadline("liveness", nextMs);
}

/** Records a start of the registry: nodes whose sockets did not survive it have `nodeGraceMs` to redial. */
export function recordStart(draft: Draft, connected: ReadonlySet<string>): void {
  recordLostSockets(draft, connected);
  if ([...draft.world.nodes.values()].some(({ state }) => state !== "down")) scheduleSweep(draft);
}

/** Records that a node's last socket closed. The node stays ready for `nodeGraceMs`. */
export function recordDisconnect(draft: Draft, nodeId: string): void {
  const node = draft.world.nodes.get(nodeId);
  if (node === undefined || node.state === "down") return;
  draft.store.setDisconnectedAt([nodeId], draft.nowMs);
  scheduleSweep(draft);
}

/** Ensures that a sweep runs within `nodeGraceMs`. */
export function scheduleSweep(draft: Draft): void {
  if (draft.store.deadline("liveness") === null)
    draft.store.setDeadline("liveness", draft.nowMs + nodeGraceMs);
}

/** Marks a node down. Reconcile replaces its tasks. */
export function markDown(draft: Draft, node: MeshNode, message: string, actor: string): void {
  const { nowMs } = draft;
  draft.store.setDisconnectedAt([node.id], null);
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

/**
 * Records as disconnected now the nodes whose socket vanished without a close event, as in a reset of the
 * object.
 */
function recordLostSockets(draft: Draft, connected: ReadonlySet<string>): void {
  const disconnectedAtMs = draft.store.disconnectedAt();
  const lost = [...draft.world.nodes.values()].filter(
    ({ id, state }) => state !== "down" && !connected.has(id) && !disconnectedAtMs.has(id),
  );
  draft.store.setDisconnectedAt(
    lost.map(({ id }) => id),
    draft.nowMs,
  );
}
