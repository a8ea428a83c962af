// A prober's store: its region, its list of servers, and the health of each server.

import type { ProbeList } from "../domain/model/probe-list.ts";
import { migrate, type Schema } from "../storage/migrations.ts";
import { removeRows, type SqlDatabase, upsert } from "../storage/sql-database.ts";
import type { StoredRegionHealth } from "./check-schedule.ts";

/** Step 1 accepts tables that are older than the migration runner. */
const proberSchema: Schema = {
  owner: "the prober",
  migrations: [
    {
      number: 1,
      name: "region and target list, and a counter for each server",
      readableFrom: 1,
      statements: [
        "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS counters (server_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
      ],
    },
  ],
};

type FactKey = "region" | "targets" | "listHash";

export class ProberStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase, nowMs: number) {
    this.#database = database;
    migrate(database, proberSchema, nowMs);
  }

  /** The region that this prober checks from; empty before its first wake-up. */
  region(): string {
    return this.#fact("region") ?? "";
  }

  setRegion(region: string): void {
    this.#setFact("region", region);
  }

  /** The list saved last; empty with an empty hash before there was one. */
  list(): ProbeList {
    return { hash: this.#fact("listHash") ?? "", targets: JSON.parse(this.#fact("targets") ?? "[]") };
  }

  /** Replaces the list and deletes the health of servers that are not in it, in one transaction. */
  saveList({ hash, targets }: ProbeList): void {
    this.#database.transactionSync(() => {
      this.#setFact("targets", JSON.stringify(targets));
      this.#setFact("listHash", hash);
      const present = new Set(targets.map(({ serverId }) => serverId));
      const stored = this.health().map(({ serverId }) => serverId);
      removeRows(
        this.#database,
        "counters",
        "server_id",
        stored.filter((serverId) => !present.has(serverId)),
      );
    });
  }

  health(): readonly StoredRegionHealth[] {
    const rows = this.#database.exec("SELECT body FROM counters");
    return rows.map(({ body }) => JSON.parse(String(body)) as StoredRegionHealth);
  }

  saveHealth(health: StoredRegionHealth): void {
    const row = [health.serverId, JSON.stringify(health)];
    upsert(this.#database, "counters", ["server_id", "body"], [row]);
  }

  #fact(key: FactKey): string | null {
    const [row] = this.#database.exec("SELECT value FROM facts WHERE key = ?", key);
    return row === undefined ? null : String(row.value);
  }

  #setFact(key: FactKey, value: string): void {
    upsert(this.#database, "facts", ["key", "value"], [[key, value]]);
  }
}
