// The filters a node must pass to get a task, and the text that counts the nodes each filter rejected. The
// texts are those of SwarmKit (manager/scheduler/filter.go), the order is that of its pipeline (pipeline.go).

import { nodeMatches } from "../model/constraint.ts";
import { canTakeTasks } from "../model/node.ts";
import type { NodeInfo, TaskRequirements } from "./node-info.ts";

/**
 * In the order in which they are applied, and in which a refusal lists them; SwarmKit's begins with the
 * filter that rejected most nodes.
 */
const filterTexts = {
  ready: (count: number) => `${nodeCountText(count)} not available for new tasks`,
  resources: (count: number) => `insufficient resources on ${nodeCountText(count)}`,
  constraints: (count: number) => `scheduling constraints not satisfied on ${nodeCountText(count)}`,
  platform: (count: number) => `unsupported platform on ${nodeCountText(count)}`,
  hostPort: (count: number) => `host-mode port already in use on ${nodeCountText(count)}`,
  maxPerNode: (_: number) => "max replicas per node limit exceed",
} as const;
export type FilterName = keyof typeof filterTexts;

/**
 * The first filter that rejects a node; null if the node can take the task.
 *
 * @param outgoingNodeId the node of the task that this one replaces
 */
export function failedFilter(
  info: NodeInfo,
  requirements: TaskRequirements,
  outgoingNodeId: string | null,
): FilterName | null {
  if (!canTakeTasks(info.node)) return "ready";
  const failed = failedCapacityFilter(info, requirements, outgoingNodeId);
  if (failed === "resources") return failed;
  const unmet = requirements.constraints.find((constraint) => !nodeMatches([constraint], info.node));
  if (unmet === undefined) return failed;
  return "platforms" in unmet ? "platform" : "constraints";
}

/** The first filter that rejects a node because of the tasks already on it. */
export function failedCapacityFilter(
  info: NodeInfo,
  { service, hostPorts }: TaskRequirements,
  outgoingNodeId: string | null,
): FilterName | null {
  const { reservations, maxPerNode } = service.spec;
  const { nanoCpus, memoryBytes } = info.node.resources;
  if (reservations.nanoCpus > 0 && info.use.nanoCpus + reservations.nanoCpus > nanoCpus) return "resources";
  if (reservations.memoryBytes > 0 && info.use.memoryBytes + reservations.memoryBytes > memoryBytes) {
    return "resources";
  }
  const isShort = ([kind, count]: [string, number]) =>
    (info.use.generic.get(kind) ?? 0) + count > (info.node.resources.generic?.[kind] ?? 0);
  if (Object.entries(reservations.generic ?? {}).some(isShort)) return "resources";
  // A successor may share the node with the task it replaces, whose port and whose place among the replicas
  // it takes.
  const outgoingTasks = info.node.id === outgoingNodeId ? 1 : 0;
  if (hostPorts.some((port) => (info.use.hostPorts.get(port) ?? 0) > outgoingTasks)) return "hostPort";
  if (maxPerNode === 0) return null;
  const serviceTasks = (info.use.tasksOf.get(service.id) ?? 0) - outgoingTasks;
  return serviceTasks >= maxPerNode ? "maxPerNode" : null;
}

/** `no suitable node (2 nodes not available for new tasks; …)`. @param counts nodes rejected per filter */
export function noSuitableNodeText(counts: ReadonlyMap<FilterName, number>): string {
  const parts = (Object.keys(filterTexts) as FilterName[]).flatMap((filter) => {
    const count = counts.get(filter);
    return count === undefined ? [] : filterTexts[filter](count);
  });
  return parts.length === 0 ? "no suitable node" : `no suitable node (${parts.join("; ")})`;
}

function nodeCountText(count: number): string {
  return count === 1 ? "1 node" : `${count} nodes`;
}
