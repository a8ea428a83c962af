// Deadlines: named alarms over the one alarm a Durable Object has. They are rows, so that a reset forgets none.

import { removeRows, type SqlDatabase, upsert } from "../storage/sql-database.ts";

/**
 * `reconcile`: a delayed decision is ripe. `liveness`: a node may have missed its beats. `release`: a task that left
 * the table may be free to stop. `probers`: a region's checks may have fallen silent.
 */
export type DeadlineName = "reconcile" | "liveness" | "release" | "probers";

/** Sets a deadline, or forgets it with null. Writes only when it moves. */
export function setDeadline(database: SqlDatabase, name: DeadlineName, atMs: number | null): void {
  if (readDeadline(database, name) === atMs) return;
  if (atMs === null) removeRows(database, "deadlines", "name", [name]);
  else upsert(database, "deadlines", ["name", "at_ms"], [[name, atMs]]);
}

/** When a deadline is, epoch milliseconds; null when it is not set. */
export function readDeadline(database: SqlDatabase, name: DeadlineName): number | null {
  const [row] = database.exec("SELECT at_ms FROM deadlines WHERE name = ?", name);
  return row === undefined ? null : Number(row.at_ms);
}

/** The earliest deadline, epoch milliseconds; null when there is none. */
export function nextDeadline(database: SqlDatabase): number | null {
  const at = database.exec("SELECT min(at_ms) AS next FROM deadlines")[0]?.next ?? null;
  return at === null ? null : Number(at);
}

/** The deadlines that have come, earliest first. They stay set until set anew. */
export function dueDeadlines(database: SqlDatabase, nowMs: number): readonly DeadlineName[] {
  const rows = database.exec("SELECT name FROM deadlines WHERE at_ms <= ? ORDER BY at_ms, name", nowMs);
  return rows.map(({ name }) => name as DeadlineName);
}
