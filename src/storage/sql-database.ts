// What the registry asks of a database: two methods, which a Durable Object's storage and node:sqlite both have.

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** A synchronous SQLite. Statements carry at most `maxBindings` bound values. */
export interface SqlDatabase {
  /** Runs one statement and returns its rows, all of them. */
  exec(sql: string, ...bindings: readonly SqlValue[]): readonly SqlRow[];
  /** Runs `work` as one transaction: when it throws nothing of it remains. Does not nest. */
  transactionSync<T>(work: () => T): T;
}

/** Bound values one statement may carry; a Durable Object's limit. */
const maxBindings = 100;

/**
 * Writes rows with as few statements as the limit allows. The first column is the key: a row that exists is replaced.
 *
 * @param columns column names, the key first; every row has as many values
 */
export function upsert(
  database: SqlDatabase,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
): void {
  const [key = "", ...others] = columns;
  const update = others.map((column) => `${column} = excluded.${column}`).join(", ");
  for (const some of chunks(rows, Math.floor(maxBindings / columns.length))) {
    const values = some.map(() => `(${columns.map(() => "?").join(", ")})`).join(", ");
    database.exec(
      `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${values} ON CONFLICT (${key}) DO UPDATE SET ${update}`,
      ...some.flat(),
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
  for (const some of chunks(values, maxBindings)) {
    database.exec(`DELETE FROM ${table} WHERE ${key} IN (${some.map(() => "?").join(", ")})`, ...some);
  }
}

function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
