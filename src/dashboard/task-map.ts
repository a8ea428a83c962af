// The map: nodes by services with every task and static server as a cell; where that would be too much to look at, a tile a node.

import type { MeshNode } from "../domain/model/node.ts";
import { serverName } from "../domain/model/server.ts";
import { isAlive, type Task, taskName } from "../domain/model/task.ts";
import type { ServerView, ServiceView } from "../registry/api.ts";
import {
  type DisplayStatus,
  displayStatuses,
  serverDisplayStatus,
  taskDisplayStatus,
  worstStatus,
} from "./display-status.ts";
import type { DashboardView } from "./view.ts";

/** A task, or a static server. */
export type MapCell = {
  readonly id: string;
  readonly serviceId: string;
  /** Null: a task that waits for one, or a static server. */
  readonly nodeId: string | null;
  readonly name: string;
  readonly status: DisplayStatus;
  /** What stands in the cell beside its shape; empty for a global service's only task there. */
  readonly label: string;
  readonly slot: number;
};

/** Every task as a cell: a row a node, a column a service. */
export type CellMap = {
  readonly kind: "cells";
  readonly services: readonly ServiceView[];
  readonly rows: readonly {
    readonly of: MeshNode | "waiting" | "servers";
    /** Beside the columns, in their order. */
    readonly cells: readonly (readonly MapCell[])[];
  }[];
  readonly shown: readonly DisplayStatus[];
};

/** A tile a node, showing the worst of its tasks. */
export type TileMap = {
  readonly kind: "tiles";
  readonly tiles: readonly {
    readonly node: MeshNode;
    readonly look: DisplayStatus | null;
    readonly tasks: number;
  }[];
  /** Of each service, how many of its tasks look how. */
  readonly services: readonly {
    readonly service: ServiceView;
    readonly counts: ReadonlyMap<DisplayStatus, number>;
  }[];
  readonly shown: readonly DisplayStatus[];
};

/** More than this is told sum by sum: a wall of cells says less than its worst one. */
const maxMapNodes = 40;
const maxMapServices = 14;
const maxMapCells = 600;

export function taskMap(view: DashboardView): CellMap | TileMap {
  const tasks = view.tasks.filter((task) => isShown(task, view));
  const fits =
    view.nodes.length <= maxMapNodes &&
    view.services.length <= maxMapServices &&
    tasks.length + view.servers.length <= maxMapCells;
  const cells = [...tasks.flatMap((task) => cellOf(task, view) ?? []), ...view.servers.map(serverCell)];
  const present = new Set(cells.map(({ status }) => status));
  const shown = displayStatuses.filter((look) => present.has(look)).reverse();
  return fits ? cellMap(cells, shown, view) : tileMap(cells, shown, view);
}

/** What lives, and of a slot where nothing lives how it ended last. */
function isShown(task: Task, view: DashboardView): boolean {
  if (isAlive(task)) return true;
  if (task.desired === "remove" || taskDisplayStatus(task, undefined) !== "failed") return false;
  const ofSlot = view
    .tasksOfService(task.serviceId)
    .filter((other) => other.slot === task.slot && (task.slot > 0 || other.nodeId === task.nodeId));
  return !ofSlot.some((other) => isAlive(other)) && ofSlot.at(-1) === task;
}

/** Null for a task of a service that is gone, once it is dead. */
function cellOf(task: Task, view: DashboardView): MapCell | null {
  const service = view.serviceById.get(task.serviceId);
  if (service === undefined) return null;
  return {
    id: task.id,
    serviceId: task.serviceId,
    nodeId: task.nodeId,
    name: taskName(service.spec.name, { ...task, nodeId: nodeNameOf(task, view) }),
    status: taskDisplayStatus(task, view.nodeById.get(task.nodeId ?? "")),
    label: task.slot > 0 ? String(task.slot) : "",
    slot: task.slot,
  };
}

function serverCell(server: ServerView): MapCell {
  const { id, serviceId, service, spec } = server;
  const name = serverName(service, server);
  return {
    id,
    serviceId,
    nodeId: serversRowId,
    name,
    status: serverDisplayStatus(server),
    label: spec.name,
    slot: 0,
  };
}

/** Where a node's id stands for tasks. */
const serversRowId = "servers";

/** A global service's task goes by its node, and people know that by name. */
function nodeNameOf({ nodeId, forNode }: Task, view: DashboardView): string | null {
  const id = nodeId ?? forNode;
  return id === undefined || id === null ? null : (view.nodeById.get(id)?.hostname ?? id);
}

function cellMap(cells: readonly MapCell[], shown: readonly DisplayStatus[], view: DashboardView): CellMap {
  const byPlace = Map.groupBy(cells, ({ nodeId, serviceId }) => `${nodeId ?? "waiting"} ${serviceId}`);
  const has = (row: string | null) => cells.some(({ nodeId }) => nodeId === row);
  const of = [
    ...view.nodes,
    ...(has(null) ? (["waiting"] as const) : []),
    ...(has(serversRowId) ? (["servers"] as const) : []),
  ];
  const rows = of.map((one) => ({
    of: one,
    cells: view.services.map(({ id }) =>
      (byPlace.get(`${typeof one === "string" ? one : one.id} ${id}`) ?? []).toSorted(
        (a, b) => a.slot - b.slot,
      ),
    ),
  }));
  return { kind: "cells", services: view.services, rows, shown };
}

function tileMap(cells: readonly MapCell[], shown: readonly DisplayStatus[], view: DashboardView): TileMap {
  const byNode = Map.groupBy(cells, ({ nodeId }) => nodeId ?? "");
  const byService = Map.groupBy(cells, ({ serviceId }) => serviceId);
  const tiles = view.nodes.map((node) => {
    const own = byNode.get(node.id) ?? [];
    const look = node.state === "down" ? "unknown" : worstStatus(own.map((cell) => cell.status));
    return { node, look, tasks: own.length };
  });
  const services = view.services.map((service) => ({
    service,
    counts: countStatuses(byService.get(service.id) ?? []),
  }));
  return { kind: "tiles", tiles, services, shown };
}

function countStatuses(cells: readonly MapCell[]): ReadonlyMap<DisplayStatus, number> {
  const counts = new Map<DisplayStatus, number>();
  for (const { status } of cells) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}
