// The world as rows: loaded whole, saved by difference.

import type { Network } from "../domain/model/network.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { removeRows, type SqlDatabase, type SqlRow, type SqlValue, upsert } from "../storage/sql-database.ts";

export function loadWorld(database: SqlDatabase): World {
  return {
    nodes: byId<MeshNode>(database.exec("SELECT id, body FROM nodes ORDER BY id")),
    services: byId<Service>(database.exec("SELECT id, body FROM services ORDER BY id")),
    tasks: byId<Task>(database.exec("SELECT id, body FROM tasks ORDER BY id")),
    servers: byId<StaticServer>(database.exec("SELECT id, body FROM servers ORDER BY id")),
    networks: byId<Network>(database.exec("SELECT id, body FROM networks ORDER BY id")),
  };
}

/** Writes the items of `after` that are other objects than in `before`, and deletes the missing ones. */
export function saveWorld(database: SqlDatabase, before: World, after: World): void {
  const { nodes, services, tasks, servers, networks } = after;
  saveRows(database, "nodes", ["id", "hostname", "body"], before.nodes, nodes, (node) => [node.hostname]);
  saveRows(database, "services", ["id", "name", "body"], before.services, services, ({ spec }) => [
    spec.name,
  ]);
  saveRows(database, "tasks", ["id", "service_id", "node_id", "body"], before.tasks, tasks, (task) => [
    task.serviceId,
    task.nodeId,
  ]);
  saveRows(database, "servers", ["id", "service_id", "body"], before.servers, servers, (server) => [
    server.serviceId,
  ]);
  saveRows(database, "networks", ["id", "name", "body"], before.networks, networks, ({ name }) => [name]);
}

function byId<T>(rows: readonly SqlRow[]): ReadonlyMap<string, T> {
  return new Map(rows.map(({ id, body }) => [String(id), JSON.parse(String(body)) as T]));
}

function saveRows<T>(
  database: SqlDatabase,
  table: string,
  columns: readonly string[],
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  keysOf: (value: T) => readonly SqlValue[],
): void {
  if (before === after) return;
  const removedIds = [...before.keys()].filter((id) => !after.has(id));
  const changed = [...after].filter(([id, value]) => before.get(id) !== value);
  removeRows(database, table, "id", removedIds);
  upsert(
    database,
    table,
    columns,
    changed.map(([id, value]) => [id, ...keysOf(value), JSON.stringify(value)]),
  );
}
