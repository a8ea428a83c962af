// The balancer over the nodes, as a proxy: every node is a server of it.

import type { Node } from "../domain/node.ts";
import { nodeReady } from "../domain/nodes.ts";
import type { StatsInput } from "./input.ts";
import { nodesProxyId } from "./proxy-id.ts";
import { proxyRows, type ServerLine } from "./proxy-rows.ts";
import type { StatsProxy } from "./report.ts";
import { seconds } from "./time.ts";

/** No service can be called so: names of services have no dot. */
export const nodesProxyName = "waggle.nodes";

/** @see docs/spec.md Z6 */
export function nodesProxy({ nodes, traffic, nowMs }: StatsInput): StatsProxy {
  const head = { name: nodesProxyName, iid: nodesProxyId, algorithm: "roundrobin" };
  const lines = shownNodes(nodes).map((node) => nodeLine(node, traffic.node(node.id), nowMs));
  return {
    ...head,
    what: "the balancer over the nodes, mode http",
    rows: proxyRows(head, lines, traffic.mesh),
    actions: ["ready", "drain"],
  };
}

function nodeLine(node: Node, counted: ServerLine["values"], nowMs: number): ServerLine {
  const status = nodeStatus(node);
  return {
    name: node.hostname,
    status,
    isActive: status === "UP",
    weight: 1,
    backup: false,
    values: {
      ...counted,
      lastchg: seconds(nowMs - node.stateSinceMs),
      last_chk: node.message,
      addr: node.address,
    },
  };
}

/** A node is up while it is heard; one that the operator drains, or that is about to leave, is drained. */
function nodeStatus(node: Node): string {
  if (!nodeReady(node)) return "DOWN";
  return node.availability === "drain" || node.leaving === true ? "DRAIN" : "UP";
}

/**
 * Nodes by name. Where a machine joined anew, its old node of the same name is down for good: readers that go by name
 * could not tell the two apart, so only the newer one is shown.
 */
function shownNodes(nodes: readonly Node[]): readonly Node[] {
  const byName = new Map<string, Node>();
  for (const node of nodes.toSorted((a, b) => a.createdAtMs - b.createdAtMs)) {
    const known = byName.get(node.hostname);
    if (known === undefined || !nodeReady(known) || nodeReady(node)) byName.set(node.hostname, node);
  }
  return [...byName.values()].sort((a, b) => byNumber(a.hostname, b.hostname));
}

const { compare: byNumber } = new Intl.Collator("en", { numeric: true });
