// The world as rows: loaded whole, saved by what changed.

import type { Network } from "../domain/model/network.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import type { HealthReport, Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { removeRows, type SqlDatabase, type SqlRow, type SqlValue, upsert } from "../storage/sql-database.ts";
import { sameData } from "./same-data.ts";
import { changesBetween } from "./versioned-map.ts";

export function loadWorld(database: SqlDatabase): World {
  const nodes = byId<MeshNode>(database.exec("SELECT body FROM nodes ORDER BY id"));
  const services = byId<Service>(database.exec("SELECT body FROM services ORDER BY id"));
  const tasks = byId<Task>(database.exec("SELECT body FROM tasks ORDER BY id"));
  shareParts(tasks.values(), [...nodes.keys(), ...services.keys()]);
  return {
    nodes,
    services,
    tasks,
    servers: byId<StaticServer>(database.exec("SELECT body FROM servers ORDER BY id")),
    networks: byId<Network>(database.exec("SELECT body FROM networks ORDER BY id")),
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

function byId<T extends { readonly id: string }>(rows: readonly SqlRow[]): ReadonlyMap<string, T> {
  const entries = new Map<string, T>();
  for (const { body } of rows) {
    const entry = JSON.parse(String(body)) as T;
    entries.set(entry.id, entry);
  }
  return entries;
}

/**
 * Makes one object of the equal parts of tasks: they differ in little, and each row has its own copy of all.
 *
 * @param ids of their nodes and services
 */
function shareParts(tasks: Iterable<Mutable<Task>>, ids: Iterable<string>): void {
  const byRun = new Map<string, Task>();
  const texts = new Map<string, string>();
  for (const id of ids) texts.set(id, id);
  const text = <T extends string | null>(own: T): T => {
    if (own === null) return own;
    const known = texts.get(own);
    if (known === undefined) texts.set(own, own);
    return (known ?? own) as T;
  };
  for (const task of tasks) {
    task.serviceId = text(task.serviceId);
    task.nodeId = text(task.nodeId);
    task.runHash = text(task.runHash);
    task.message = text(task.message);
    task.err = text(task.err);
    if (task.health !== null) (task.health as Mutable<HealthReport>).lastCheck = text(task.health.lastCheck);
    const key = `${task.serviceId} ${task.runHash}`;
    const like = byRun.get(key);
    if (like === undefined) byRun.set(key, task);
    else {
      if (sameData(task.run, like.run)) task.run = like.run;
      if (sameData(task.document, like.document)) task.document = like.document;
    }
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function saveRows<T>(
  database: SqlDatabase,
  table: string,
  columns: readonly string[],
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  keysOf: (value: T) => readonly SqlValue[],
): void {
  const removedIds: string[] = [];
  const rows: SqlValue[][] = [];
  for (const [id, old] of changesBetween(before, after)) {
    const value = after.get(id);
    if (value === undefined) removedIds.push(id);
    else if (value !== old) rows.push([id, ...keysOf(value), JSON.stringify(value)]);
  }
  removeRows(database, table, "id", removedIds);
  upsert(database, table, columns, rows);
}
