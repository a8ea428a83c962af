// The registry's tables and how they came to be. A numbered step is never edited once released; the next one follows it.

import type { SqlDatabase } from "../storage/sql-database.ts";

type Migration = { readonly number: number; readonly name: string; readonly statements: readonly string[] };

// Nodes, services and tasks are read whole and decided on in memory, so a row is its key and a JSON body; the other
// columns are for people who look, and carry no index, because each index costs one more written row.
export const migrations: readonly Migration[] = [
  {
    number: 1,
    name: "the world, its memory of the mesh, events, deadlines and credentials",
    statements: [
      "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE nodes (id TEXT PRIMARY KEY, hostname TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE services (id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE tasks (id TEXT PRIMARY KEY, service_id TEXT NOT NULL, node_id TEXT, body TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE credentials (node_id TEXT PRIMARY KEY, hash TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE connections (node_id TEXT PRIMARY KEY, lost_at_ms INTEGER NOT NULL) WITHOUT ROWID",
      "CREATE TABLE events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL)",
      "CREATE TABLE deadlines (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID",
    ],
  },
  {
    number: 2,
    name: "static servers, and when each region's checks were last heard",
    statements: [
      "CREATE TABLE servers (id TEXT PRIMARY KEY, service_id TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE probe_regions (region TEXT PRIMARY KEY, heard_at_ms INTEGER NOT NULL) WITHOUT ROWID",
    ],
  },
  {
    number: 3,
    name: "a node's admin state is called as those of tasks and servers are",
    statements: [
      "UPDATE nodes SET body = json_remove(json_set(body, '$.admin', json_extract(body, '$.balance')), '$.balance') WHERE json_extract(body, '$.balance') IS NOT NULL",
    ],
  },
];

/**
 * Brings the tables up to the newest step, each step whole or not at all. A database from a newer release is refused.
 *
 * A Durable Object has no `PRAGMA user_version`, so the steps taken are rows of a table of their own.
 */
export function migrate(
  database: SqlDatabase,
  nowMs: number,
  steps: readonly Migration[] = migrations,
): void {
  database.exec(
    "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at_ms INTEGER NOT NULL)",
  );
  const taken = Number(database.exec("SELECT coalesce(max(number), 0) AS newest FROM migrations")[0]?.newest);
  const newest = Math.max(0, ...steps.map((step) => step.number));
  if (taken > newest) {
    throw new Error(
      `the registry's tables are at step ${taken}, this release knows ${newest}: deploy a newer one`,
    );
  }
  for (const step of steps.filter(({ number }) => number > taken)) {
    database.transactionSync(() => {
      for (const statement of step.statements) database.exec(statement);
      database.exec(
        "INSERT INTO migrations (number, name, at_ms) VALUES (?, ?, ?)",
        step.number,
        step.name,
        nowMs,
      );
    });
  }
}
