// A SqlPort over node:sqlite, in memory.

import { DatabaseSync } from "node:sqlite";
import type { SqlPort, SqlRow } from "../../src/storage/sql-database.ts";

/** A new, empty database. */
export function memoryPort(): SqlPort {
  return portOf(new DatabaseSync(":memory:"));
}

/** A port to a database that may already hold something. */
export function portOf(database: DatabaseSync): SqlPort {
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
