// A Durable Object's storage in the shape in which the mesh's stores ask for it.

import type { SqlDatabase, SqlRow } from "../src/storage/sql-database.ts";

/** The SQL of a storage, and its transactions. */
export function sqlDatabaseOf(storage: DurableObjectStorage): SqlDatabase {
  return {
    exec: (sql, ...bindings) => storage.sql.exec(sql, ...bindings).toArray() as SqlRow[],
    transactionSync: (work) => storage.transactionSync(work),
  };
}
