// The operator's changes of nodes: availability, role, labels, removal.

import { hostsOf } from "../domain/labels/labels.ts";
import { MeshError } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { checkAddressLabel, isOperatorConfirmed } from "./addresses.ts";
import type { NodeChange } from "./api.ts";
import { refuseAddress } from "./connections.ts";
import { type Draft, nodeSubject } from "./draft.ts";
import { forgetNode } from "./forgotten-nodes.ts";
import { findNode, requireVersion } from "./refs.ts";
import { sameData } from "./same-data.ts";

/**
 * Changes a node's availability, role and labels. Its label `waggle.host` names the hosts of its own entry
 * point, `waggle.address` confirms its addresses. A change without a difference raises no version.
 *
 * @throws MeshError node/not-found, node/sequence, label/invalid
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
  const next = { ...node, availability, role, labels, entryHosts: hostsOf(labels) };
  if (sameData(next, node)) return node;
  const raised = { ...next, version: node.version + 1, updatedAtMs: draft.nowMs };
  draft.put("nodes", raised);
  draft.recordEvent(actor, "node.update", nodeSubject(node), differences(node, raised));
  refuseRevokedAddress(draft, node, raised);
  return raised;
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

/** Refuses the address of a node if the update removed the label that confirmed it. */
function refuseRevokedAddress(draft: Draft, before: MeshNode, after: MeshNode): void {
  const { address, provenAddress } = after;
  const { addresses } = draft.context;
  if (provenAddress === address || after.state === "down") return;
  const [was, is] = [before, after].map(({ labels }) => isOperatorConfirmed(address, labels, addresses));
  if (was && !is) refuseAddress(draft, after.id, `an operator no longer confirms address ${address}`);
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
