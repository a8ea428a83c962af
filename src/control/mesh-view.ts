// The view of a mesh: nodes, services, tasks and servers, read from the registry at one moment.

import { compileTable } from "../domain/compile/compile-table.ts";
import { unwrap } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import type { MeshApi, MeshInfo, ServerView, ServiceView } from "../registry/api.ts";

export type MeshView = {
  readonly info: MeshInfo;
  readonly nodes: readonly MeshNode[];
  readonly services: readonly ServiceView[];
  /** Includes ended tasks. */
  readonly tasks: readonly Task[];
  readonly servers: readonly ServerView[];
};

/** @throws MeshError if the registry cannot be reached */
export async function readMeshView(mesh: MeshApi): Promise<MeshView> {
  const [info, nodes, services, tasks, servers] = await Promise.all([
    mesh.info(),
    mesh.nodes(),
    mesh.services(),
    mesh.tasks({}),
    mesh.servers(null),
  ]);
  return { info, nodes, services, tasks: unwrap(tasks), servers: unwrap(servers) };
}

/** The routing table of the view, as the registry compiles it. */
export function routingTableOf({
  info,
  nodes,
  services,
  tasks,
  servers,
}: Omit<MeshView, "servers"> & { readonly servers: readonly StaticServer[] }): RoutingTable {
  const world = {
    nodes: byId(nodes),
    services: byId(services),
    tasks: byId(tasks),
    servers: byId(servers),
    // Not a part of the routing table.
    networks: new Map(),
  };
  return compileTable(world, info.tableVersion);
}

export function byId<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}

/** Sorts live tasks by slot, then ended ones newest first. */
export function byUse(a: Task, b: Task): number {
  if (isAlive(a) !== isAlive(b)) return isAlive(a) ? -1 : 1;
  return isAlive(a) ? a.slot - b.slot || a.createdAtMs - b.createdAtMs : b.createdAtMs - a.createdAtMs;
}
