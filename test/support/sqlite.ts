// A SqlDatabase on node:sqlite, in memory.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { SqlDatabase, SqlRow } from "../../src/storage/sql-database.ts";

/** A new database. @param script SQL that fills it */
export function memoryDatabase(script = ""): SqlDatabase {
  const database = new DatabaseSync(":memory:");
  database.exec(script);
  return databaseOf(database);
}

/** An open database, empty or not. */
function databaseOf(database: DatabaseSync): SqlDatabase {
  // A Durable Object keeps prepared statements, too.
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  return {
    exec: (sql, ...bindings) => prepare(sql).all(...bindings) as SqlRow[],
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
