// A Durable Object's storage in the shape in which the mesh's stores ask for it.

import type { SqlPort, SqlRow } from "../src/storage/sql-database.ts";

/** The SQL of a storage, and its transactions. */
export function sqlPortOf(storage: DurableObjectStorage): SqlPort {
  return {
    exec: (sql, ...bindings) => storage.sql.exec(sql, ...bindings).toArray() as SqlRow[],
    transactionSync: (work) => storage.transactionSync(work),
  };
}
