// Deadlines: named alarms over the one alarm of a Durable Object. They are rows, so a reset loses none.

import { removeRows, type SqlDatabase, upsert } from "../storage/sql-database.ts";

/**
 * `reconcile`: a delayed decision is due. `liveness`: a node may have missed its heartbeats. `release`: a
 * task that left the routing table may be released. `probers`: a region's prober may be silent. `forget`: a
 * node has been down for too long. `gateway-keys`: a rotation of the gateway keys takes its next step.
 * `gateway-checks`: gateways are checked again.
 */
export type DeadlineName =
  | "reconcile"
  | "liveness"
  | "release"
  | "probers"
  | "forget"
  | "gateway-keys"
  | "gateway-checks";

/** Sets a deadline, or removes it with null. Writes only if it changes. */
export function setDeadline(database: SqlDatabase, name: DeadlineName, atMs: number | null): void {
  if (readDeadline(database, name) === atMs) return;
  if (atMs === null) removeRows(database, "deadlines", "name", [name]);
  else upsert(database, "deadlines", ["name", "at_ms"], [[name, atMs]]);
}

/** A deadline, epoch milliseconds; null if it is not set. */
export function readDeadline(database: SqlDatabase, name: DeadlineName): number | null {
  const [row] = database.exec("SELECT at_ms FROM deadlines WHERE name = ?", name);
  return row === undefined ? null : Number(row.at_ms);
}

/** The earliest deadline, epoch milliseconds; null if none is set. */
export function nextDeadline(database: SqlDatabase): number | null {
  const at = database.exec("SELECT min(at_ms) AS next FROM deadlines")[0]?.next ?? null;
  return at === null ? null : Number(at);
}

/** The deadlines that are due, earliest first. They stay set until they are set again. */
export function dueDeadlines(database: SqlDatabase, nowMs: number): readonly DeadlineName[] {
  const rows = database.exec("SELECT name FROM deadlines WHERE at_ms <= ? ORDER BY at_ms, name", nowMs);
  return rows.map(({ name }) => name as DeadlineName);
}
