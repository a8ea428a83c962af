// The balancer over the nodes, as a proxy whose servers are the nodes.

import { isNodeReady, type MeshNode } from "../domain/model/node.ts";
import type { StatsInput } from "./input.ts";
import { nodesProxyId } from "./proxy-id.ts";
import { proxyRows, type ServerRow } from "./proxy-rows.ts";
import type { ColumnValues, StatsProxy } from "./report.ts";
import { seconds } from "./time.ts";

/** Cannot be the name of a service, which has no dot. */
const nodesProxyName = "waggle.nodes";

/** @see docs/spec.md Z7 */
export function nodesProxy({ nodes, traffic, nowMs }: StatsInput): StatsProxy {
  const head = { name: nodesProxyName, iid: nodesProxyId };
  const rows = latestNodes(nodes).map((node) => nodeRow(node, traffic.node(node.id), nowMs));
  return {
    ...head,
    what: "the balancer over the nodes, mode http",
    rows: proxyRows(head, rows, traffic.mesh, { algo: "roundrobin" }),
  };
}

function nodeRow(node: MeshNode, traffic: ColumnValues, nowMs: number): ServerRow {
  const { id, hostname, address, admin = "ready", stateSinceMs } = node;
  return {
    name: hostname,
    status: nodeStatus(node),
    share: isNodeReady(node) && admin === "ready" ? { weight: 1 } : null,
    weight: 1,
    backup: false,
    admin: { target: { kind: "node", ref: id }, state: admin },
    values: {
      ...traffic,
      lastchg: seconds(nowMs - stateSinceMs),
      last_chk: nodeReason(node),
      addr: address,
    },
  };
}

/** A reachable node is UP, unless it is in maint or drain, drained in the Swarm, or about to leave. */
function nodeStatus(node: MeshNode): string {
  if (node.admin === "maint") return "MAINT";
  if (!isNodeReady(node)) return "DOWN";
  return node.admin === "drain" || isDraining(node) ? "DRAIN" : "UP";
}

/** True if the node's tasks move to other nodes. */
function isDraining({ availability, leaving }: MeshNode): boolean {
  return availability === "drain" || leaving === true;
}

/** Why the node is down, or what drains it besides its admin state. */
function nodeReason(node: MeshNode): string {
  if (node.message !== "" || !isDraining(node)) return node.message;
  return node.leaving === true ? "its agent is leaving" : "availability drain";
}

/**
 * The nodes, sorted by name. A machine that joined again has a second node of the same name, and the first
 * one stays down. Readers go by name, so only the newer node is shown.
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
