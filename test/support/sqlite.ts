// A SqlDatabase on node:sqlite, in memory.

import { DatabaseSync } from "node:sqlite";
import type { SqlDatabase, SqlRow } from "../../src/storage/sql-database.ts";

/** A new database. @param script SQL that fills it */
export function memoryDatabase(script = ""): SqlDatabase {
  const database = new DatabaseSync(":memory:");
  database.exec(script);
  return databaseOf(database);
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
