// The migration runner: brings the tables of one object up to its newest numbered step.

import type { SqlDatabase } from "./sql-database.ts";

/** One step. It is never edited once released; a change of the tables is a new step. */
type Migration = {
  readonly number: number;
  readonly name: string;
  readonly statements: readonly string[];
};

/** The steps of one object's tables. */
export type Schema = {
  /** Whose tables these are, for error messages: `the registry`. */
  readonly owner: string;
  /** In ascending order of their numbers. */
  readonly migrations: readonly Migration[];
};

/**
 * Applies the steps that the database lacks, each in a transaction of its own.
 *
 * A Durable Object has no `PRAGMA user_version`, so the applied steps are rows of a table `migrations`. An
 * object whose tables are older than the runner has no such row: its first step must accept tables that
 * exist.
 *
 * @throws Error if the database has a step that `schema` does not know: a newer release wrote it
 */
export function migrate(database: SqlDatabase, { owner, migrations }: Schema, nowMs: number): void {
  database.exec(
    "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at_ms INTEGER NOT NULL)",
  );
  const [row] = database.exec("SELECT coalesce(max(number), 0) AS newest FROM migrations");
  const applied = Number(row?.newest);
  const newest = Math.max(0, ...migrations.map(({ number }) => number));
  if (applied > newest) {
    throw new Error(
      `the tables of ${owner} are at step ${applied}, this release knows ${newest}: deploy a newer one`,
    );
  }
  for (const { number, name, statements } of migrations) {
    if (number <= applied) continue;
    database.transactionSync(() => {
      for (const statement of statements) database.exec(statement);
      database.exec("INSERT INTO migrations (number, name, at_ms) VALUES (?, ?, ?)", number, name, nowMs);
    });
  }
}
