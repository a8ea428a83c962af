// How a task looks: one of nine conditions, each with a shape, a letter and a word, so that no colour is needed.

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import { isServerDraining, isServerUsable } from "../domain/model/server-health.ts";
import { isAlive, type Task } from "../domain/model/task.ts";

export type DisplayStatus =
  | "running"
  | "starting"
  | "unhealthy"
  | "leaving"
  | "held"
  | "waiting"
  | "unknown"
  | "failed"
  | "ended";

/** Worst first: what a group of tasks is shown as. */
export const displayStatuses: readonly DisplayStatus[] = [
  "failed",
  "unhealthy",
  "unknown",
  "waiting",
  "starting",
  "leaving",
  "held",
  "running",
  "ended",
];

/** What each means, for the legend and for who hears the page instead of seeing it. */
export const statusMeanings: Readonly<Record<DisplayStatus, string>> = {
  running: "running and healthy",
  starting: "starting",
  unhealthy: "fails its checks",
  leaving: "being stopped",
  held: "in drain or maint: gets no new requests",
  waiting: "waits for a node",
  unknown: "its node is not heard",
  failed: "failed",
  ended: "ended",
};

/** @param node the task's node; undefined when it has none, or it was removed */
export function taskDisplayStatus(task: Task, node: MeshNode | undefined): DisplayStatus {
  if (!isAlive(task))
    return task.state === "complete" || task.state === "shutdown" || task.state === "remove"
      ? "ended"
      : "failed";
  if (task.nodeId === null) return "waiting";
  if (node?.state === "down") return "unknown";
  if (task.desired !== "running") return "leaving";
  if (task.state !== "running") return "starting";
  const well = (task.admin ?? "ready") === "ready" ? "running" : "held";
  if (task.health === null) return well;
  return { healthy: well, starting: "starting", unhealthy: "unhealthy" }[
    task.health.verdict
  ] as DisplayStatus;
}

/** How a static server looks, by the same words. */
export function serverDisplayStatus(server: StaticServer): DisplayStatus {
  if (server.admin !== "ready") return "held";
  if (!isServerUsable(server)) return "unhealthy";
  return isServerDraining(server) ? "held" : "running";
}

export function worstStatus(given: Iterable<DisplayStatus>): DisplayStatus | null {
  const present = new Set(given);
  return displayStatuses.find((look) => present.has(look)) ?? null;
}
