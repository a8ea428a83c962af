// The rows of a backup in the registry's database: reads them, replaces them, and keeps the parts of a transfer.

import type { BackupRows } from "../protocol/backup.ts";
import { replaySteps } from "../storage/migrations.ts";
import { removeRows, type SqlDatabase, type SqlValue, upsert, upsertBy } from "../storage/sql-database.ts";
import { backupPages, backupTables, presentTables } from "./backup-tables.ts";
import { registrySchema } from "./schema.ts";

/** The newest step of the registry's tables. */
export const newestStep = Math.max(...registrySchema.migrations.map(({ number }) => number));

export class BackupStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** All rows that a backup has, in runs of rows of one table. */
  *rows(): Generator<BackupRows> {
    for (const table of backupTables)
      for (const page of backupPages(this.#database, table)) {
        const [first] = page;
        if (first === undefined) continue;
        const columns = Object.keys(first);
        const rows = page.map((row) => columns.map((column) => row[column] ?? null));
        yield { table: table.name, columns, rows };
      }
  }

  /**
   * Replaces all tables by those of a step with these rows, brought up to the newest step. For use in a transaction.
   *
   * @param keptMeta values of `meta` that stay as they are
   */
  replace(step: number, parts: Iterable<BackupRows>, keptMeta: readonly string[]): void {
    const meta = keptMeta.flatMap((key) =>
      this.#database.exec("SELECT key, value FROM meta WHERE key = ?", key),
    );
    for (const table of [...backupTables.map(({ name }) => name), ...presentTables])
      this.#database.exec(`DROP TABLE ${table}`);
    replaySteps(this.#database, registrySchema, 0, step);
    for (const { table, columns, rows } of parts) {
      const key = backupTables.find(({ name }) => name === table)?.key ?? [];
      upsertBy(this.#database, table, key, columns, rows);
    }
    replaySteps(this.#database, registrySchema, step, newestStep);
    const rows = meta.map(({ key = null, value = null }): SqlValue[] => [key, value]);
    upsert(this.#database, "meta", ["key", "value"], rows);
  }

  removeMeta(keys: readonly string[]): void {
    removeRows(this.#database, "meta", "key", keys);
  }

  putPart(number: number, body: string): void {
    upsert(this.#database, "transfer_parts", ["number", "body"], [[number, body]]);
  }

  /** Null if there is no such part. */
  part(number: number): string | null {
    const [row] = this.#database.exec("SELECT body FROM transfer_parts WHERE number = ?", number);
    return row === undefined ? null : String(row.body);
  }

  countParts(): number {
    return Number(this.#database.exec("SELECT count(*) AS parts FROM transfer_parts")[0]?.parts ?? 0);
  }

  clearParts(): void {
    if (this.countParts() > 0) this.#database.exec("DELETE FROM transfer_parts");
  }
}
