// The published ports that machines open themselves, as their agents report them.

import type { MeshNode } from "../domain/model/node.ts";
import type { NodeListeners } from "../domain/model/node-listeners.ts";
import type { Draft } from "./draft.ts";
import { memberNode } from "./reports.ts";
import { sameData } from "./same-data.ts";

/** The listeners of a machine whose agent has opened none yet. */
export const noListeners: NodeListeners = { open: 0, closed: [] };

/** Records a report, unless it changes nothing. @throws MeshError node/not-found */
export function recordListeners(draft: Draft, nodeId: string, report: NodeListeners): void {
  const node = memberNode(draft, nodeId);
  const next = withListeners(node, report, draft.nowMs);
  if (!sameData(next, node)) draft.put("nodes", next);
}

/** The node with these listeners; without any if the report is undefined. */
export function withListeners(
  { listeners: _before, ...node }: MeshNode,
  report: NodeListeners | undefined,
  nowMs: number,
): MeshNode {
  if (report === undefined) return node;
  // An agent's clock may be ahead of the registry's.
  const closed = report.closed.map((port) => ({ ...port, sinceMs: Math.min(port.sinceMs, nowMs) }));
  return { ...node, listeners: { open: report.open, closed }, mayHaveKeys: true };
}
