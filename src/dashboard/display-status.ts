// The display status of a task or static server. Each has a shape and a text, so that color is redundant.

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import { isServerDraining, isServerUsable } from "../domain/model/server-health.ts";
import { isAlive, type Task } from "../domain/model/task.ts";

/** Worst first. */
export const displayStatuses = [
  "failed",
  "unhealthy",
  "failing",
  "unknown",
  "waiting",
  "starting",
  "leaving",
  "out-of-service",
  "running",
  "ended",
] as const;

export type DisplayStatus = (typeof displayStatuses)[number];

/** For the legend and for screen readers. */
export const statusMeanings: Readonly<Record<DisplayStatus, string>> = {
  running: "running and healthy",
  starting: "starting",
  unhealthy: "fails its checks",
  failing: "passes its checks, fails requests",
  leaving: "being stopped",
  "out-of-service": "in drain or maint: gets no new requests",
  waiting: "waits for a node",
  unknown: "its node is down",
  failed: "failed",
  ended: "ended",
};

/** @param node the task's node; undefined if it has none or the node was removed */
export function taskDisplayStatus(task: Task, node: MeshNode | undefined): DisplayStatus {
  if (!isAlive(task))
    return task.state === "complete" || task.state === "shutdown" || task.state === "remove"
      ? "ended"
      : "failed";
  if (task.nodeId === null) return "waiting";
  if (node?.state === "down") return "unknown";
  if (task.desired !== "running") return "leaving";
  if (task.state !== "running") return "starting";
  const verdict = task.health?.verdict ?? "healthy";
  if (verdict !== "healthy") return verdict;
  return (task.admin ?? "ready") === "ready" ? "running" : "out-of-service";
}

export function serverDisplayStatus(server: StaticServer): DisplayStatus {
  if (server.admin !== "ready") return "out-of-service";
  if (!isServerUsable(server)) return "unhealthy";
  return isServerDraining(server) ? "out-of-service" : "running";
}

export function worstStatus(statuses: Iterable<DisplayStatus>): DisplayStatus | null {
  const present = new Set(statuses);
  return displayStatuses.find((status) => present.has(status)) ?? null;
}

export function countStatuses(statuses: Iterable<DisplayStatus>): ReadonlyMap<DisplayStatus, number> {
  const counts = new Map<DisplayStatus, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}
