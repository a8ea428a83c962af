// The map: nodes by services with every task and static server as a cell; where that would be too much to look at, a tile a node.

import { taskName } from "../domain/names.ts";
import type { Node } from "../domain/node.ts";
import { serverName } from "../domain/server.ts";
import { isAlive, type Task } from "../domain/task.ts";
import type { ServerView, ServiceView } from "../registry/api.ts";
import { type Look, lookOf, lookOfServer, looks, worst } from "./task-look.ts";
import type { View } from "./view.ts";

/** A task, or a static server. */
export type TaskCell = {
  readonly id: string;
  readonly serviceId: string;
  /** Null: a task that waits for one, or a static server. */
  readonly nodeId: string | null;
  readonly name: string;
  readonly look: Look;
  /** What stands in the cell beside its shape; empty for a global service's only task there. */
  readonly short: string;
  readonly slot: number;
};

/** Every task as a cell: a row a node, a column a service. */
export type CellMap = {
  readonly kind: "cells";
  readonly services: readonly ServiceView[];
  readonly rows: readonly {
    readonly of: Node | "waiting" | "servers";
    /** Beside the columns, in their order. */
    readonly cells: readonly (readonly TaskCell[])[];
  }[];
  readonly shown: readonly Look[];
};

/** A tile a node, showing the worst of its tasks. */
export type TileMap = {
  readonly kind: "tiles";
  readonly tiles: readonly { readonly node: Node; readonly look: Look | null; readonly tasks: number }[];
  /** Of each service, how many of its tasks look how. */
  readonly services: readonly { readonly service: ServiceView; readonly counts: ReadonlyMap<Look, number> }[];
  readonly shown: readonly Look[];
};

/** More than this is told sum by sum: a wall of cells says less than its worst one. */
const maxRows = 40;
const maxColumns = 14;
const maxCells = 600;

export function taskMap(view: View): CellMap | TileMap {
  const tasks = view.tasks.filter((task) => isShown(task, view));
  const fits =
    view.nodes.length <= maxRows &&
    view.services.length <= maxColumns &&
    tasks.length + view.servers.length <= maxCells;
  const cells = [...tasks.flatMap((task) => cellOf(task, view) ?? []), ...view.servers.map(serverCell)];
  const present = new Set(cells.map(({ look }) => look));
  const shown = looks.filter((look) => present.has(look)).reverse();
  return fits ? cellMap(cells, shown, view) : tileMap(cells, shown, view);
}

/** What lives, and of a slot where nothing lives how it ended last. */
function isShown(task: Task, view: View): boolean {
  if (isAlive(task)) return true;
  if (task.desired === "remove" || lookOf(task, undefined) !== "failed") return false;
  const ofSlot = view
    .tasksOfService(task.serviceId)
    .filter((other) => other.slot === task.slot && (task.slot > 0 || other.nodeId === task.nodeId));
  return !ofSlot.some((other) => isAlive(other)) && ofSlot.at(-1) === task;
}

/** Null for a task of a service that is gone, once it is dead. */
function cellOf(task: Task, view: View): TaskCell | null {
  const service = view.serviceById.get(task.serviceId);
  if (service === undefined) return null;
  return {
    id: task.id,
    serviceId: task.serviceId,
    nodeId: task.nodeId,
    name: taskName(service.spec.name, { ...task, nodeId: nodeNameOf(task, view) }),
    look: lookOf(task, view.nodeById.get(task.nodeId ?? "")),
    short: task.slot > 0 ? String(task.slot) : "",
    slot: task.slot,
  };
}

function serverCell(server: ServerView): TaskCell {
  const { id, serviceId, service, spec } = server;
  const name = serverName(service, server);
  return { id, serviceId, nodeId: serverRow, name, look: lookOfServer(server), short: spec.name, slot: 0 };
}

/** Where a node's id stands for tasks. */
const serverRow = "servers";

/** A global service's task goes by its node, and people know that by name. */
function nodeNameOf({ nodeId, forNode }: Task, view: View): string | null {
  const id = nodeId ?? forNode;
  return id === undefined || id === null ? null : (view.nodeById.get(id)?.hostname ?? id);
}

function cellMap(cells: readonly TaskCell[], shown: readonly Look[], view: View): CellMap {
  const byPlace = Map.groupBy(cells, ({ nodeId, serviceId }) => `${nodeId ?? "waiting"} ${serviceId}`);
  const has = (row: string | null) => cells.some(({ nodeId }) => nodeId === row);
  const of = [
    ...view.nodes,
    ...(has(null) ? (["waiting"] as const) : []),
    ...(has(serverRow) ? (["servers"] as const) : []),
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

function tileMap(cells: readonly TaskCell[], shown: readonly Look[], view: View): TileMap {
  const byNode = Map.groupBy(cells, ({ nodeId }) => nodeId ?? "");
  const byService = Map.groupBy(cells, ({ serviceId }) => serviceId);
  const tiles = view.nodes.map((node) => {
    const own = byNode.get(node.id) ?? [];
    const look = node.state === "down" ? "unknown" : worst(own.map((cell) => cell.look));
    return { node, look, tasks: own.length };
  });
  const services = view.services.map((service) => ({
    service,
    counts: countLooks(byService.get(service.id) ?? []),
  }));
  return { kind: "tiles", tiles, services, shown };
}

function countLooks(cells: readonly TaskCell[]): ReadonlyMap<Look, number> {
  const counts = new Map<Look, number>();
  for (const { look } of cells) counts.set(look, (counts.get(look) ?? 0) + 1);
  return counts;
}
