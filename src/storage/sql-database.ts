// The SQL interface of all stores: a synchronous SQLite, as a Durable Object's storage and node:sqlite both
// offer it.

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/**
 * Numbers of rows that rise, such as those of events, stay below. SQLite has larger ones, which cannot be read as
 * JavaScript's numbers, or not exactly.
 */
export const maxRisingNumber = 2 ** 52;

/** A synchronous SQLite. Statements carry at most `maxBindings` bound values. */
export interface SqlDatabase {
  /** Runs one statement and returns all of its rows. */
  exec(sql: string, ...bindings: readonly SqlValue[]): readonly SqlRow[];
  /** Runs `work` as one transaction, which is rolled back if `work` throws. Transactions do not nest. */
  transactionSync<T>(work: () => T): T;
}

/** Bound values that one statement may carry: a Durable Object's limit. */
const maxBindings = 100;

/**
 * Inserts rows, or replaces those whose key exists, with as few statements as the limit allows.
 *
 * @param columns column names, the key first; every row has as many values
 */
export function upsert(
  database: SqlDatabase,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
): void {
  upsertBy(database, table, columns.slice(0, 1), columns, rows);
}

/** As `upsert`, for a key of several columns. */
export function upsertBy(
  database: SqlDatabase,
  table: string,
  key: readonly string[],
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
): void {
  const others = columns.filter((column) => !key.includes(column));
  const update = others.map((column) => `${column} = excluded.${column}`).join(", ");
  for (const chunk of chunks(rows, Math.floor(maxBindings / columns.length))) {
    const values = chunk.map(() => `(${columns.map(() => "?").join(", ")})`).join(", ");
    database.exec(
      `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${values} ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${update}`,
      ...chunk.flat(),
    );
  }
}

/** Deletes the rows whose `key` is one of `values`. */
export function removeRows(
  database: SqlDatabase,
  table: string,
  key: string,
  values: readonly SqlValue[],
): void {
  for (const chunk of chunks(values, maxBindings)) {
    database.exec(`DELETE FROM ${table} WHERE ${key} IN (${chunk.map(() => "?").join(", ")})`, ...chunk);
  }
}

function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
