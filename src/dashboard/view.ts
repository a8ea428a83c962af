// The view: everything that the pages show of a mesh, read at one moment and indexed for rendering.

import { type MeshView, readMeshView } from "../control/mesh-view.ts";
import { problemsOf } from "../control/problems.ts";
import { type MeshEvent, maxEventsKept } from "../domain/model/event.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { Task } from "../domain/model/task.ts";
import type { StatusProblem } from "../protocol/status.ts";
import type { MeshApi, ServerView, ServiceView } from "../registry/api.ts";
import { type TrafficReader, type TrafficView, trafficView } from "./traffic.ts";

export type DashboardView = MeshView & {
  /** When the view was read, epoch milliseconds. Ages and durations on a page count to this moment. */
  readonly nowMs: number;
  /** Problems of the mesh and of its traffic. */
  readonly problems: readonly StatusProblem[];
  /** Null if telemetry is unavailable. */
  readonly traffic: TrafficView | null;
  /** Newest first. */
  readonly events: readonly MeshEvent[];
  /** Sequence number of the newest event; 0 without events. */
  readonly seq: number;
  readonly nodeById: ReadonlyMap<string, MeshNode>;
  readonly serviceById: ReadonlyMap<string, ServiceView>;
  readonly tasksOfService: (serviceId: string) => readonly Task[];
  readonly tasksOfNode: (nodeId: string) => readonly Task[];
  readonly serversOfService: (serviceId: string) => readonly ServerView[];
};

export type ViewReader = {
  readonly read: () => Promise<DashboardView>;
  /** Drops the cached view after a change. */
  readonly invalidate: () => void;
};

/** Pages open at the same change share one read of the registry. Milliseconds. */
const viewCacheMs = 500;

/** Caches the view itself, not its promise: on Workers a promise belongs to the request that created it. */
export function viewReader(mesh: MeshApi, traffic: TrafficReader, now: () => number): ViewReader {
  let cached: DashboardView | null = null;
  let invalidations = 0;
  return {
    read: async () => {
      if (cached !== null && Math.abs(now() - cached.nowMs) < viewCacheMs) return cached;
      const invalidationsBefore = invalidations;
      const view = await readView(mesh, traffic, now());
      // A view whose read overlapped a change may predate it.
      if (invalidations === invalidationsBefore) cached = view;
      return view;
    },
    invalidate: () => {
      cached = null;
      invalidations += 1;
    },
  };
}

async function readView(mesh: MeshApi, readTraffic: TrafficReader, nowMs: number): Promise<DashboardView> {
  const [view, events, snapshot] = await Promise.all([
    readMeshView(mesh),
    mesh.newestEvents(maxEventsKept),
    readTraffic({ tasks: false, trend: true }),
  ]);
  return makeView(view, events, snapshot === null ? null : trafficView(snapshot), nowMs);
}

/** @param events oldest first, as the registry returns them */
export function makeView(
  mesh: MeshView,
  events: readonly MeshEvent[],
  traffic: TrafficView | null,
  nowMs: number,
): DashboardView {
  const tasksByService = Map.groupBy(mesh.tasks, ({ serviceId }) => serviceId);
  const serversByService = Map.groupBy(mesh.servers, ({ serviceId }) => serviceId);
  const tasksByNode = Map.groupBy(mesh.tasks, ({ nodeId }) => nodeId ?? "");
  return {
    ...mesh,
    nodes: mesh.nodes.toSorted((a, b) => compareNames(a.hostname, b.hostname)),
    services: mesh.services.toSorted((a, b) => compareNames(a.spec.name, b.spec.name)),
    nowMs,
    problems: problemsOf(mesh, [...(traffic?.serviceById.values() ?? [])]),
    traffic,
    events: events.toReversed(),
    seq: events.at(-1)?.seq ?? 0,
    nodeById: new Map(mesh.nodes.map((node) => [node.id, node])),
    serviceById: new Map(mesh.services.map((service) => [service.id, service])),
    tasksOfService: (id) => tasksByService.get(id) ?? [],
    tasksOfNode: (id) => tasksByNode.get(id) ?? [],
    serversOfService: (id) => serversByService.get(id) ?? [],
  };
}

/** `node2` before `node10`. */
const { compare: compareNames } = new Intl.Collator("en", { numeric: true });
