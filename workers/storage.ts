// Adapts the storage of a Durable Object to the SQL interface of the stores.

import type { SqlDatabase, SqlRow } from "../src/storage/sql-database.ts";

export function sqlDatabaseOf(storage: DurableObjectStorage): SqlDatabase {
  return {
    exec: (sql, ...bindings) => storage.sql.exec(sql, ...bindings).toArray() as SqlRow[],
    transactionSync: (work) => storage.transactionSync(work),
  };
}
