// The operator's changes of nodes: availability, role, labels, removal.

import { hostsOf } from "../domain/labels/labels.ts";
import { MeshError } from "../domain/model/error.ts";
import { isBalancer, type MeshNode } from "../domain/model/node.ts";
import { checkAddressLabel } from "./addresses.ts";
import type { NodeChange } from "./api.ts";
import { refuseAddress } from "./connections.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { forgetNode } from "./forgotten-nodes.ts";
import { requestGatewayCheck, settleTransport } from "./gateway-checks.ts";
import { findNode, requireVersion } from "./refs.ts";
import { sameData } from "./same-data.ts";
import { checkTransportLabel, chooseTransport } from "./transport.ts";

/**
 * Changes a node's availability, role and labels. Its label `waggle.host` names the hosts of its own entry
 * point, `waggle.address` confirms its addresses, and `waggle.transport` pins its transport. A change without a
 * difference raises no version, and checks the node's gateway as any other.
 *
 * @throws MeshError node/not-found, node/sequence, label/invalid, node/invalid
 */
export function updateNode(
  draft: Draft,
  ref: string,
  version: number,
  change: NodeChange,
  actor: string,
): MeshNode {
  const node = findNode(draft.world, ref);
  requireVersion("node", node, version);
  const { availability, role, labels } = change;
  checkAddressLabel(labels);
  checkTransportLabel(node.labels, labels, draft.context.addresses);
  if (isBalancer(node) && availability !== "drain") throw takesNoTasks(node);
  const next = { ...node, availability, role, labels, entryHosts: hostsOf(labels) };
  if (!isBalancer(node)) requestGatewayCheck(draft, next);
  if (sameData(next, node)) return node;
  const raised = { ...next, version: node.version + 1, updatedAtMs: draft.nowMs };
  draft.put("nodes", raised);
  draft.recordEvent(actor, "node.update", nodeSubject(node), differences(node, raised));
  followAddressLabels(draft, raised, actor);
  return draft.world.nodes.get(node.id) ?? raised;
}

/**
 * Removes a node and its credential. Reconcile orphans the tasks that still ran there.
 *
 * @param force removes also a node that is not down; its agent's socket is closed with `notAMember`
 * @throws MeshError node/not-found, node/precondition
 */
export function removeNode(draft: Draft, ref: string, force: boolean, actor: string): void {
  const node = findNode(draft.world, ref);
  if (node.state !== "down" && !force) {
    throw new MeshError("node/precondition", `node ${node.id} is not down and can't be removed`, {
      blame: "operator",
      retry: "safe",
    });
  }
  forgetNode(draft, node, node.state === "down" ? "" : "by force", actor);
}

/** Chooses the transport again. A node to which no way is left is refused until its address is confirmed. */
function followAddressLabels(draft: Draft, node: MeshNode, actor: string): void {
  // Before its first hello a node has claimed nothing that could be dialed.
  if (node.wasReady !== true || isBalancer(node)) return;
  const { kind } = chooseTransport(node, draft.context.addresses);
  if (kind !== null || node.state === "down") settleTransport(draft, node, actor);
  else refuseAddress(draft, node.id, `an operator no longer confirms address ${node.address}`);
}

function takesNoTasks({ hostname }: MeshNode): MeshError {
  return new MeshError(
    "node/invalid",
    `${hostname} is a balancer and takes no tasks: its availability stays drain`,
    { blame: "operator", retry: "never" },
  );
}

function differences(before: MeshNode, after: MeshNode): string {
  const changes = [
    before.availability !== after.availability &&
      `availability ${before.availability} -> ${after.availability}`,
    before.role !== after.role && `role ${before.role} -> ${after.role}`,
    !sameData(before.labels, after.labels) && "labels",
  ];
  return changes.filter((change) => change !== false).join(", ");
}
