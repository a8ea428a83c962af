// A SqlPort over node:sqlite, in memory.

import { DatabaseSync } from "node:sqlite";
import type { SqlDatabase, SqlRow } from "../../src/storage/sql-database.ts";

/** A new, empty database. */
export function memoryDatabase(): SqlDatabase {
  return databaseOf(new DatabaseSync(":memory:"));
}

/** A port to a database that may already hold something. */
export function databaseOf(database: DatabaseSync): SqlDatabase {
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
