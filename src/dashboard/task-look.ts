// How a task looks: one of nine conditions, each with a shape, a letter and a word, so that no colour is needed.

import type { Node } from "../domain/node.ts";
import type { StaticServer } from "../domain/server.ts";
import { serverDrains, serverServes } from "../domain/server-health.ts";
import { isAlive, type Task } from "../domain/task.ts";

export type Look =
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
export const looks: readonly Look[] = [
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
export const meanings: Readonly<Record<Look, string>> = {
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
export function lookOf(task: Task, node: Node | undefined): Look {
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
  return { healthy: well, starting: "starting", unhealthy: "unhealthy" }[task.health.verdict] as Look;
}

/** How a static server looks, by the same words. */
export function lookOfServer(server: StaticServer): Look {
  if (server.admin !== "ready") return "held";
  if (!serverServes(server)) return "unhealthy";
  return serverDrains(server) ? "held" : "running";
}

export function worst(given: Iterable<Look>): Look | null {
  const present = new Set(given);
  return looks.find((look) => present.has(look)) ?? null;
}
