// The migration runner: brings the tables of one object up to its newest numbered step.

import type { SqlDatabase } from "./sql-database.ts";

/** One step. It is never edited once released; a change of the tables is a new step. */
type Migration = {
  readonly number: number;
  readonly name: string;
  /**
   * The earliest step whose release works on the tables that this step leaves: with it, a rollback to that release
   * starts. The step's own number if earlier code would fail on them, or lose what they hold.
   */
  readonly readableFrom: number;
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
 * Applies the steps that the database lacks, each in a transaction of its own. Tables of a later release stay as
 * they are if all of its further steps are readable from this one.
 *
 * A Durable Object has no `PRAGMA user_version`, so the applied steps are rows of a table `migrations`. An
 * object whose tables are older than the runner has no such row: its first step must accept tables that
 * exist.
 *
 * @throws Error if a later release has applied a step that this one cannot work with
 */
export function migrate(database: SqlDatabase, { owner, migrations }: Schema, nowMs: number): void {
  openStepTable(database, migrations);
  const newest = Math.max(0, ...migrations.map(({ number }) => number));
  const [row] = database.exec(
    "SELECT coalesce(max(number), 0) AS applied, coalesce(max(CASE WHEN number > ? THEN coalesce(readable_from, number) END), 0) AS needed FROM migrations",
    newest,
  );
  const applied = Number(row?.applied);
  const needed = Number(row?.needed);
  if (needed > newest) {
    throw new Error(
      `the tables of ${owner} are at step ${applied}, which releases can read from step ${needed} on; this release is at step ${newest}: deploy the release that wrote them, or a later one`,
    );
  }
  for (const { number, name, readableFrom, statements } of migrations) {
    if (number <= applied) continue;
    database.transactionSync(() => {
      for (const statement of statements) database.exec(statement);
      database.exec(
        "INSERT INTO migrations (number, name, at_ms, readable_from) VALUES (?, ?, ?, ?)",
        ...[number, name, nowMs, readableFrom],
      );
    });
  }
}

/**
 * Runs the statements of the steps above `after`, up to `upTo`, in the caller's transaction. The applied steps are not
 * recorded: for tables that are made again.
 */
export function replaySteps(
  database: SqlDatabase,
  { migrations }: Schema,
  after: number,
  upTo: number,
): void {
  for (const { number, statements } of migrations) {
    if (number <= after || number > upTo) continue;
    for (const statement of statements) database.exec(statement);
  }
}

/** Rows of releases that did not note from which step theirs is readable get it from this one. */
function openStepTable(database: SqlDatabase, migrations: Schema["migrations"]): void {
  database.exec(
    "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at_ms INTEGER NOT NULL, readable_from INTEGER)",
  );
  const [table] = database.exec("SELECT sql FROM sqlite_master WHERE name = 'migrations'");
  if (String(table?.sql).includes("readable_from")) return;
  database.transactionSync(() => {
    database.exec("ALTER TABLE migrations ADD COLUMN readable_from INTEGER");
    for (const { number, readableFrom } of migrations)
      database.exec("UPDATE migrations SET readable_from = ? WHERE number = ?", readableFrom, number);
  });
}
