// What a step back of the registry's clock changes: times that lie ahead are set to now, so that no wait takes
// longer from the step on than it was meant to. An administrator or NTP may set the clock.
//
// A clock that is set forward needs nothing here: waits end early, and a sweep that comes late does not count
// silence (liveness.ts).

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import { type Draft, meshSubject } from "./draft.ts";
import { gatewayCheckIntervalMs } from "./gateway-checks.ts";
import { followKeyClock } from "./gateway-keys.ts";
import { nodeGraceMs } from "./liveness.ts";
import { probeSilenceMs } from "./probing.ts";
import { sameData } from "./same-data.ts";

/**
 * Sets each time in the rows that lies ahead to now. An order among the times of an object is kept.
 *
 * @param latestMs what the clock showed before it was set back; infinite if unknown, after a start
 */
export function followClock(draft: Draft, latestMs: number): void {
  const { world, nowMs } = draft;
  for (const node of world.nodes.values()) putChanged(draft, "nodes", node, nodeUntil(node, nowMs));
  for (const service of world.services.values()) {
    putChanged(draft, "services", service, serviceUntil(service, nowMs));
  }
  for (const task of world.tasks.values()) putChanged(draft, "tasks", task, taskUntil(task, nowMs));
  for (const server of world.servers.values())
    putChanged(draft, "servers", server, serverUntil(server, nowMs));
  followInStore(draft);
  if (!Number.isFinite(latestMs)) return;
  const backText = `the clock was set back by ${Math.round((latestMs - nowMs) / 1_000)} s`;
  draft.recordEvent("registry", "mesh.clock", meshSubject(draft), backText);
}

/** Puts an object if one of its times changed. */
function putChanged<K extends "nodes" | "services" | "tasks" | "servers">(
  draft: Draft,
  kind: K,
  before: Parameters<typeof draft.put<K>>[1],
  after: Parameters<typeof draft.put<K>>[1],
): void {
  if (!sameData(before, after)) draft.put(kind, after);
}

/** The deadlines of reconcile, releases and forgotten nodes follow from the world; these follow from events. */
function followInStore({ store, nowMs }: Draft): void {
  const listeningSinceMs = Number(store.meta("listeningSinceMs") ?? 0);
  if (listeningSinceMs > nowMs) store.setMeta("listeningSinceMs", String(nowMs));
  followKeyClock(store, nowMs);
  for (const [nodeId, atMs] of store.disconnectedAt()) {
    if (atMs > nowMs) store.setDisconnectedAt([nodeId], nowMs);
  }
  for (const [region, atMs] of store.regionsSeenAt()) {
    if (atMs > nowMs) store.setRegionSeenAt(region, nowMs);
  }
  for (const [name, longestMs] of [
    ["liveness", nodeGraceMs],
    ["probers", probeSilenceMs],
    ["gateway-checks", gatewayCheckIntervalMs],
  ] as const) {
    const deadlineMs = store.deadline(name);
    if (deadlineMs !== null && deadlineMs > nowMs + longestMs) store.setDeadline(name, nowMs + longestMs);
  }
}

function nodeUntil(node: MeshNode, nowMs: number): MeshNode {
  return {
    ...node,
    stateSinceMs: Math.min(node.stateSinceMs, nowMs),
    createdAtMs: Math.min(node.createdAtMs, nowMs),
    updatedAtMs: Math.min(node.updatedAtMs, nowMs),
  };
}

function serviceUntil(service: Service, nowMs: number): Service {
  const { update } = service;
  return {
    ...service,
    createdAtMs: Math.min(service.createdAtMs, nowMs),
    updatedAtMs: Math.min(service.updatedAtMs, nowMs),
    ...(update && {
      update: {
        ...update,
        startedAtMs: Math.min(update.startedAtMs, nowMs),
        sinceMs: Math.min(update.sinceMs, nowMs),
        completedAtMs: update.completedAtMs === null ? null : Math.min(update.completedAtMs, nowMs),
      },
    }),
  };
}

/** Keeps the task's restart delay, which shows how many failures preceded it. */
function taskUntil(task: Task, nowMs: number): Task {
  const { ranSinceMs, endedAtMs, departure, health, failures } = task;
  const createdAtMs = Math.min(task.createdAtMs, nowMs);
  return {
    ...task,
    createdAtMs,
    notBeforeMs: task.notBeforeMs - (task.createdAtMs - createdAtMs),
    stateSinceMs: Math.min(task.stateSinceMs, nowMs),
    ...(ranSinceMs !== undefined && { ranSinceMs: Math.min(ranSinceMs, nowMs) }),
    ...(endedAtMs !== undefined && { endedAtMs: Math.min(endedAtMs, nowMs) }),
    ...(failures && { failures: { ...failures, sinceMs: Math.min(failures.sinceMs, nowMs) } }),
    ...(departure && { departure: { ...departure, atMs: Math.min(departure.atMs, nowMs) } }),
    health: health && { ...health, sinceMs: Math.min(health.sinceMs, nowMs) },
  };
}

function serverUntil(server: StaticServer, nowMs: number): StaticServer {
  const { health } = server;
  return {
    ...server,
    createdAtMs: Math.min(server.createdAtMs, nowMs),
    updatedAtMs: Math.min(server.updatedAtMs, nowMs),
    health: health && { ...health, sinceMs: Math.min(health.sinceMs, nowMs) },
  };
}
