// A SqlDatabase on node:sqlite, in memory.

import { DatabaseSync } from "node:sqlite";
import type { SqlDatabase, SqlRow } from "../../src/storage/sql-database.ts";

/** A new, empty database. */
export function memoryDatabase(): SqlDatabase {
  return databaseOf(new DatabaseSync(":memory:"));
}

/** An open database, empty or not. */
function databaseOf(database: DatabaseSync): SqlDatabase {
  return {
    exec: (sql, ...bindings) => database.prepare(sql).all(...bindings) as SqlRow[],
    transactionSync: (work) => {
      database.exec("BEGIN");
      try {
        const result = work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
  };
}
