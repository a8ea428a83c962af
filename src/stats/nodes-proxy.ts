// The balancer over the nodes, as a proxy: every node is a server of it.

import { isNodeReady, type MeshNode } from "../domain/model/node.ts";
import type { StatsInput } from "./input.ts";
import { nodesProxyId } from "./proxy-id.ts";
import { proxyRows, type ServerRow } from "./proxy-rows.ts";
import type { ColumnValues, StatsProxy } from "./report.ts";
import { seconds } from "./time.ts";

/** No service can be called so: names of services have no dot. */
const nodesProxyName = "waggle.nodes";

/** @see docs/spec.md Z7 */
export function nodesProxy({ nodes, traffic, nowMs }: StatsInput): StatsProxy {
  const head = { name: nodesProxyName, iid: nodesProxyId };
  const lines = latestNodes(nodes).map((node) => nodeRow(node, traffic.node(node.id), nowMs));
  return {
    ...head,
    what: "the balancer over the nodes, mode http",
    rows: proxyRows(head, lines, traffic.mesh, { algo: "roundrobin" }),
  };
}

function nodeRow(node: MeshNode, counted: ColumnValues, nowMs: number): ServerRow {
  const { id, hostname, address, admin = "ready", stateSinceMs } = node;
  return {
    name: hostname,
    status: nodeStatus(node),
    share: isNodeReady(node) && admin === "ready" ? { weight: 1 } : null,
    weight: 1,
    backup: false,
    admin: { target: { kind: "node", ref: id }, state: admin },
    values: {
      ...counted,
      lastchg: seconds(nowMs - stateSinceMs),
      last_chk: nodeReason(node),
      addr: address,
    },
  };
}

/** A node is up while it is heard, unless the operator took it out of the balancer, drains it, or it is about to leave. */
function nodeStatus(node: MeshNode): string {
  if (node.admin === "maint") return "MAINT";
  if (!isNodeReady(node)) return "DOWN";
  return node.admin === "drain" || isDraining(node) ? "DRAIN" : "UP";
}

/** Its tasks are moved to other nodes. */
function isDraining({ availability, leaving }: MeshNode): boolean {
  return availability === "drain" || leaving === true;
}

/** What else there is to say: why it is down, or what drains it if that is not the balancer's own word. */
function nodeReason(node: MeshNode): string {
  if (node.message !== "" || !isDraining(node)) return node.message;
  return node.leaving === true ? "its agent leaves" : "availability drain";
}

/**
 * Nodes by name. Where a machine joined anew, its old node of the same name is down for good: readers that go by name
 * could not tell the two apart, so only the newer one is shown.
 */
function latestNodes(nodes: readonly MeshNode[]): readonly MeshNode[] {
  const byName = new Map<string, MeshNode>();
  for (const node of nodes.toSorted((a, b) => a.createdAtMs - b.createdAtMs)) {
    const known = byName.get(node.hostname);
    if (known === undefined || !isNodeReady(known) || isNodeReady(node)) byName.set(node.hostname, node);
  }
  return [...byName.values()].sort((a, b) => byNumber(a.hostname, b.hostname));
}

const { compare: byNumber } = new Intl.Collator("en", { numeric: true });
