// The view: all that the pages show of a mesh, read from the registry at one moment and indexed for rendering.

import { type MeshView, readMeshView } from "../control/mesh-view.ts";
import { problemsOf } from "../control/problems.ts";
import type { MeshEvent } from "../domain/model/event.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { Task } from "../domain/model/task.ts";
import type { StatusProblem } from "../protocol/status.ts";
import type { MeshApi, ServerView, ServiceView } from "../registry/api.ts";
import { type TrafficReader, type TrafficView, trafficView } from "./traffic.ts";

export type DashboardView = MeshView & {
  /** When it was read, epoch milliseconds; every `…Ms` in it is to be read against this. */
  readonly nowMs: number;
  /** Of the registry's knowledge and of traffic. */
  readonly problems: readonly StatusProblem[];
  /** Null: it cannot be read right now, and nothing is said of it. */
  readonly traffic: TrafficView | null;
  /** Newest first. */
  readonly events: readonly MeshEvent[];
  /** Number of the newest event; 0 when there is none. */
  readonly seq: number;
  readonly nodeById: ReadonlyMap<string, MeshNode>;
  readonly serviceById: ReadonlyMap<string, ServiceView>;
  readonly tasksOfService: (serviceId: string) => readonly Task[];
  readonly tasksOfNode: (nodeId: string) => readonly Task[];
  readonly serversOfService: (serviceId: string) => readonly ServerView[];
};

export type ViewReader = {
  readonly read: () => Promise<DashboardView>;
  /** Has the next read ask the registry: something was just changed. */
  readonly invalidate: () => void;
};

/** How long a view serves whoever asks next, milliseconds: many watchers of one change cost one reading. */
const viewCacheMs = 500;
/** All events the registry keeps. */
const maxEventsRead = 1_000;

/** Reads views, each kept for a moment. Only what has been read is kept, as a promise belongs to one request. */
export function viewReader(mesh: MeshApi, traffic: TrafficReader, now: () => number): ViewReader {
  let kept: DashboardView | null = null;
  let changes = 0;
  return {
    read: async () => {
      if (kept !== null && Math.abs(now() - kept.nowMs) < viewCacheMs) return kept;
      const seen = changes;
      const view = await readView(mesh, traffic, now());
      // What was read while something was changed may be from before.
      if (seen === changes) kept = view;
      return view;
    },
    invalidate: () => {
      kept = null;
      changes += 1;
    },
  };
}

async function readView(mesh: MeshApi, traffic: TrafficReader, nowMs: number): Promise<DashboardView> {
  const [view, events, snapshot] = await Promise.all([
    readMeshView(mesh),
    mesh.events(0, maxEventsRead),
    traffic({ tasks: false, trend: true }),
  ]);
  const known = snapshot === null ? null : trafficView(snapshot);
  return makeView(view, events, known, nowMs);
}

/** @param events oldest first, as the registry gives them */
export function makeView(
  mesh: MeshView,
  events: readonly MeshEvent[],
  traffic: TrafficView | null,
  nowMs: number,
): DashboardView {
  const byService = Map.groupBy(mesh.tasks, ({ serviceId }) => serviceId);
  const serversByService = Map.groupBy(mesh.servers, ({ serviceId }) => serviceId);
  const byNode = Map.groupBy(mesh.tasks, ({ nodeId }) => nodeId ?? "");
  return {
    ...mesh,
    nodes: [...mesh.nodes].sort((a, b) => byName(a.hostname, b.hostname)),
    services: [...mesh.services].sort((a, b) => byName(a.spec.name, b.spec.name)),
    nowMs,
    problems: problemsOf(mesh, [...(traffic?.serviceById.values() ?? [])]),
    traffic,
    events: events.toReversed(),
    seq: events.at(-1)?.seq ?? 0,
    nodeById: new Map(mesh.nodes.map((node) => [node.id, node])),
    serviceById: new Map(mesh.services.map((service) => [service.id, service])),
    tasksOfService: (id) => byService.get(id) ?? [],
    tasksOfNode: (id) => byNode.get(id) ?? [],
    serversOfService: (id) => serversByService.get(id) ?? [],
  };
}

const { compare: byName } = new Intl.Collator("en", { numeric: true });
