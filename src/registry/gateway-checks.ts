// Checks whether the gateways of nodes answer where the data plane dials them. A shell makes them; the mark in
// the response proves that the right node answered. A settled mesh makes none.

import type { MeshNode } from "../domain/model/node.ts";
import type { DialedTransport, GatewayCheck } from "../domain/model/node-gateway.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { type MeshKey, meshKeys, signingKeyId } from "./gateway-keys.ts";
import { sameData } from "./same-data.ts";
import { checkedGateway, chooseTransport } from "./transport.ts";

/** A check that a shell makes now. */
export type GatewayCheckRequest = {
  readonly nodeId: string;
  readonly transport: DialedTransport;
  /** The origin of the gateway. */
  readonly url: string;
  /** Signs the attempt. */
  readonly key: MeshKey;
};

/** Time between checks of a gateway that is not reached as well as it could be, milliseconds. */
export const gatewayCheckIntervalMs = 600_000;
/** Checks that one deadline begins, because one run of a Worker may send only so many requests. */
export const maxChecksAtOnce = 40;

/** Asks a shell to check a node's gateway, if it is ready and its address may be dialed. */
export function requestGatewayCheck(draft: Draft, node: MeshNode): void {
  const key = meshKeys(draft.store).find(({ id }) => id === signingKeyId(draft.store));
  const gateway = node.state === "ready" ? checkedGateway(node, draft.context.addresses) : null;
  if (gateway === null || key === undefined) return;
  draft.gatewayChecks.push({ nodeId: node.id, ...gateway, key });
}

/**
 * Chooses the transport of a node again and saves it. A node to which the mesh has no way loses its transport.
 *
 * @param actor of the event if the transport changes
 */
export function settleTransport(draft: Draft, node: MeshNode, actor: string): void {
  const { transport: before, ...rest } = node;
  const choice = chooseTransport(node, draft.context.addresses);
  const after = choice.kind === null ? null : choice;
  const next = after === null ? rest : { ...rest, transport: after };
  if (!sameData(next, draft.world.nodes.get(node.id))) draft.put("nodes", next);
  if (before !== undefined && after !== null && before.kind !== after.kind) {
    const why = after.reason === "" ? "" : `: ${after.reason}`;
    draft.recordEvent(actor, "node.transport", nodeSubject(node), `${before.kind} -> ${after.kind}${why}`);
  }
  if (isWaiting(draft, next)) scheduleGatewayChecks(draft);
}

/**
 * Records the result of a check. One of another address, port or transport than the node has now is ignored.
 *
 * @param check `problem` is why the gateway was not reached, empty if it was
 */
export function recordGatewayCheck(draft: Draft, nodeId: string, check: GatewayCheck): void {
  const node = draft.world.nodes.get(nodeId);
  if (node?.state !== "ready") return;
  const current = checkedGateway(node, draft.context.addresses);
  if (current?.url !== check.url || current.transport !== check.transport) return;
  settleTransport(draft, { ...node, gatewayCheck: check }, "registry");
}

/** Checks the gateways again that may be reached better than they are. Of many, each run checks the next few. */
export function checkGatewaysAgain(draft: Draft): void {
  draft.store.setDeadline("gateway-checks", null);
  const waiting = [...draft.world.nodes.values()].filter((node) => isWaiting(draft, node)).sort(byId);
  const run = Math.floor(draft.nowMs / gatewayCheckIntervalMs);
  const first = waiting.length > maxChecksAtOnce ? (run * maxChecksAtOnce) % waiting.length : 0;
  const next = [...waiting.slice(first), ...waiting.slice(0, first)].slice(0, maxChecksAtOnce);
  for (const node of next) requestGatewayCheck(draft, node);
  if (waiting.length > 0) scheduleGatewayChecks(draft);
}

/** Ensures that the gateways are checked again that may be reached better than they are. */
function scheduleGatewayChecks(draft: Draft): void {
  if (draft.store.deadline("gateway-checks") !== null) return;
  draft.store.setDeadline("gateway-checks", draft.nowMs + gatewayCheckIntervalMs);
}

/** True if a check may improve the node's transport, or end a problem. */
function isWaiting(draft: Draft, node: MeshNode): boolean {
  if (node.state !== "ready" || checkedGateway(node, draft.context.addresses) === null) return false;
  return node.transport?.kind === "tunnel" || (node.gatewayCheck?.problem ?? "") !== "";
}

function byId(a: MeshNode, b: MeshNode): number {
  return a.id < b.id ? -1 : 1;
}
