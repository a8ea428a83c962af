// The task map as data: a table of nodes by services with one cell for each task and static server. A large
// mesh gets one tile for each node instead.

import type { MeshNode } from "../domain/model/node.ts";
import { serverName } from "../domain/model/server.ts";
import { isAlive, slotOf, type Task, taskName } from "../domain/model/task.ts";
import type { ServerView, ServiceView } from "../registry/api.ts";
import {
  countStatuses,
  type DisplayStatus,
  displayStatuses,
  serverDisplayStatus,
  taskDisplayStatus,
  worstStatus,
} from "./display-status.ts";
import type { DashboardView } from "./view.ts";

/** A task or a static server. */
export type MapCell = {
  readonly id: string;
  readonly serviceId: string;
  /** The row: a node's id, `serversRowId` for a static server, null for a task without a node. */
  readonly nodeId: string | null;
  readonly name: string;
  readonly status: DisplayStatus;
  /** The text beside the glyph: the slot, or a static server's name. Empty for a global service's task. */
  readonly label: string;
  readonly slot: number;
};

/** Rows of nodes, columns of services. */
export type CellMap = {
  readonly kind: "cells";
  /** More services than fit beside each other: each is a row, and the nodes are columns. */
  readonly isByService: boolean;
  readonly services: readonly ServiceView[];
  readonly rows: readonly {
    readonly row: MeshNode | "waiting" | "servers";
    /** One list for each of `services`. */
    readonly cells: readonly (readonly MapCell[])[];
  }[];
  /** The statuses that occur, best first. */
  readonly legend: readonly DisplayStatus[];
};

export type TileMap = {
  readonly kind: "tiles";
  readonly tiles: readonly {
    readonly node: MeshNode;
    /** The worst status of its tasks; null without tasks. */
    readonly status: DisplayStatus | null;
    readonly tasks: number;
  }[];
  readonly services: readonly {
    readonly service: ServiceView;
    /** Tasks and static servers by status. */
    readonly counts: ReadonlyMap<DisplayStatus, number>;
  }[];
  /** The statuses that occur, best first. */
  readonly legend: readonly DisplayStatus[];
};

/** The largest mesh shown as cells; tiles with the worst status are easier to read beyond that. */
const maxMapNodes = 40;
/** Columns that fit into a window; the others would be far to the right. */
const maxMapColumns = 14;
const maxMapServices = 200;
const maxMapCells = 600;

export function taskMap(view: DashboardView): CellMap | TileMap {
  const slots = Map.groupBy(view.tasks, slotKey);
  const ofSlot = (task: Task) => slots.get(slotKey(task)) ?? [];
  const tasks = view.tasks.filter((task) => isShown(task, ofSlot(task)));
  const fits =
    view.nodes.length <= maxMapNodes &&
    view.services.length <= maxMapServices &&
    (view.services.length <= maxMapColumns || view.nodes.length <= maxMapColumns) &&
    tasks.length + view.servers.length <= maxMapCells;
  const cells = [
    ...tasks.flatMap((task) => cellOf(task, ofSlot(task), view) ?? []),
    ...view.servers.map((server) => serverCell(server, view)),
  ];
  const occurring = new Set(cells.map(({ status }) => status));
  const legend = displayStatuses.filter((status) => occurring.has(status)).reverse();
  return fits ? cellMap(cells, legend, view) : tileMap(cells, legend, view);
}

function slotKey(task: Task): string {
  return `${task.serviceId} ${slotOf(task)}`;
}

/** Live tasks, and for a slot without one its last task if that failed. */
function isShown(task: Task, ofSlot: readonly Task[]): boolean {
  if (isAlive(task)) return true;
  if (task.desired === "remove" || taskDisplayStatus(task, undefined) !== "failed") return false;
  return !ofSlot.some((other) => isAlive(other)) && ofSlot.at(-1) === task;
}

/** Null for an ended task whose service was removed. */
function cellOf(task: Task, ofSlot: readonly Task[], view: DashboardView): MapCell | null {
  const service = view.serviceById.get(task.serviceId);
  if (service === undefined) return null;
  return {
    id: task.id,
    serviceId: task.serviceId,
    nodeId: task.nodeId,
    name: taskName(service.spec.name, { ...task, nodeId: nodeNameOf(task, view) }),
    status: cellStatus(task, ofSlot, view),
    label: task.slot > 0 ? String(task.slot) : "",
    slot: task.slot,
  };
}

/** A task that waits to restart after a failure is no task that starts: its slot fails. */
function cellStatus(task: Task, ofSlot: readonly Task[], view: DashboardView): DisplayStatus {
  const status = taskDisplayStatus(task, view.nodeById.get(task.nodeId ?? ""));
  if (status !== "waiting" && status !== "starting") return withTraffic(task.id, status, view);
  const last = ofSlot.findLast((other) => !isAlive(other));
  const hasFailed = last?.runHash === task.runHash && taskDisplayStatus(last, undefined) === "failed";
  return hasFailed ? "failed" : status;
}

function serverCell(server: ServerView, view: DashboardView): MapCell {
  const { id, serviceId, service, spec } = server;
  return {
    id,
    serviceId,
    nodeId: serversRowId,
    name: serverName(service, server),
    status: withTraffic(id, serverDisplayStatus(server), view),
    label: spec.name,
    slot: 0,
  };
}

/** A target that runs and fails its requests is not running well, whatever its checks say. */
function withTraffic(id: string, status: DisplayStatus, { traffic }: DashboardView): DisplayStatus {
  return status === "running" && traffic?.failingTargets.has(id) === true ? "failing" : status;
}

/** Takes the place of a node id in the row of static servers. */
const serversRowId = "servers";

/** A global service's task is named after its node: by host name here, not by id. */
function nodeNameOf({ nodeId, forNode }: Task, view: DashboardView): string | null {
  const id = nodeId ?? forNode;
  return id === undefined || id === null ? null : (view.nodeById.get(id)?.hostname ?? id);
}

function cellMap(cells: readonly MapCell[], legend: readonly DisplayStatus[], view: DashboardView): CellMap {
  const byRowAndService = Map.groupBy(
    cells,
    ({ nodeId, serviceId }) => `${nodeId ?? "waiting"} ${serviceId}`,
  );
  const isByService = view.services.length > maxMapColumns;
  const hasCells = (rowId: string | null) => cells.some(({ nodeId }) => nodeId === rowId);
  const others = [
    ...(hasCells(null) ? (["waiting"] as const) : []),
    ...(hasCells(serversRowId) ? (["servers"] as const) : []),
  ];
  // In a narrow window the last columns are out of sight, and what waits matters most.
  const rows = (isByService ? [...others, ...view.nodes] : [...view.nodes, ...others]).map((row) => ({
    row,
    cells: view.services.map(({ id }) =>
      (byRowAndService.get(`${typeof row === "string" ? row : row.id} ${id}`) ?? []).toSorted(
        (a, b) => a.slot - b.slot,
      ),
    ),
  }));
  return { kind: "cells", isByService, services: view.services, rows, legend };
}

function tileMap(cells: readonly MapCell[], legend: readonly DisplayStatus[], view: DashboardView): TileMap {
  const byNode = Map.groupBy(cells, ({ nodeId }) => nodeId ?? "");
  const byService = Map.groupBy(cells, ({ serviceId }) => serviceId);
  const tiles = view.nodes.map((node) => {
    const ofNode = byNode.get(node.id) ?? [];
    const status = node.state === "down" ? "unknown" : worstStatus(ofNode.map((cell) => cell.status));
    return { node, status, tasks: ofNode.length };
  });
  const services = view.services.map((service) => ({
    service,
    counts: countStatuses((byService.get(service.id) ?? []).map(({ status }) => status)),
  }));
  return { kind: "tiles", tiles, services, legend };
}
