// The view: everything that the pages show of a mesh, read at one moment and indexed for rendering.

import { type MeshView, readMeshView } from "../control/mesh-view.ts";
import { readJudgedTraffic, readProblemContext } from "../control/problem-inputs.ts";
import { notesOf, type ProblemContext, problemsOf } from "../control/problems.ts";
import { type MeshEvent, maxEventsKept } from "../domain/model/event.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { Task } from "../domain/model/task.ts";
import type { StatusNote, StatusProblem } from "../protocol/status.ts";
import type { ServerView, ServiceView } from "../registry/api.ts";
import type { Snapshot } from "../telemetry/snapshot.ts";
import type { DashboardDeps } from "./context.ts";
import { type TrafficView, trafficView } from "./traffic.ts";

export type DashboardView = MeshView & {
  /** When the view was read, epoch milliseconds. Ages and durations on a page count to this moment. */
  readonly nowMs: number;
  /** Problems of the mesh and of its traffic. */
  readonly problems: readonly StatusProblem[];
  readonly notes: readonly StatusNote[];
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

type ViewDeps = Pick<DashboardDeps, "mesh" | "telemetry" | "now" | "entrySettings" | "closedPorts">;

/** Caches the view itself, not its promise: on Workers a promise belongs to the request that created it. */
export function viewReader(deps: ViewDeps): ViewReader {
  const { now } = deps;
  let cached: DashboardView | null = null;
  let invalidations = 0;
  return {
    read: async () => {
      if (cached !== null && Math.abs(now() - cached.nowMs) < viewCacheMs) return cached;
      const invalidationsBefore = invalidations;
      const view = await readView(deps);
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

async function readView(deps: ViewDeps): Promise<DashboardView> {
  const nowMs = deps.now();
  const [view, events, context] = await Promise.all([
    readMeshView(deps.mesh),
    deps.mesh.newestEvents(maxEventsKept),
    readProblemContext(deps),
  ]);
  const snapshot = await readJudgedTraffic(deps, view, { trend: true, live: true });
  return makeView(view, events, snapshot, nowMs, context);
}

/** @param events oldest first, as the registry returns them */
export function makeView(
  mesh: MeshView,
  events: readonly MeshEvent[],
  snapshot: Snapshot | null,
  nowMs: number,
  context?: ProblemContext,
): DashboardView {
  const tasksByService = Map.groupBy(mesh.tasks, ({ serviceId }) => serviceId);
  const serversByService = Map.groupBy(mesh.servers, ({ serviceId }) => serviceId);
  const tasksByNode = Map.groupBy(mesh.tasks, ({ nodeId }) => nodeId ?? "");
  return {
    ...mesh,
    nodes: mesh.nodes.toSorted((a, b) => compareNames(a.hostname, b.hostname)),
    services: mesh.services.toSorted((a, b) => compareNames(a.spec.name, b.spec.name)),
    nowMs,
    problems: problemsOf(mesh, snapshot?.services ?? [], context, snapshot?.leftOut),
    notes: notesOf(mesh, context),
    traffic: snapshot === null ? null : trafficView(snapshot),
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
