// Which rows of the registry a backup has.

import type { SqlDatabase, SqlRow, SqlValue } from "../storage/sql-database.ts";

export type BackupTable = {
  readonly name: string;
  /** Its primary key. */
  readonly key: readonly string[];
  /** Rows that are read at once: their bodies must fit into memory together. */
  readonly pageRows: number;
};

/** In the order in which they are restored. */
export const backupTables: readonly BackupTable[] = [
  { name: "meta", key: ["key"], pageRows: 20 },
  { name: "nodes", key: ["id"], pageRows: 100 },
  { name: "credentials", key: ["node_id"], pageRows: 500 },
  { name: "networks", key: ["id"], pageRows: 100 },
  { name: "dependencies", key: ["id"], pageRows: 100 },
  { name: "dependency_data", key: ["id"], pageRows: 1 },
  { name: "services", key: ["id"], pageRows: 10 },
  { name: "servers", key: ["id"], pageRows: 100 },
  { name: "tasks", key: ["id"], pageRows: 50 },
  { name: "event_log", key: ["trail", "place"], pageRows: 200 },
];

/** Tables about this registry's present, which no backup has. */
export const presentTables: readonly string[] = ["connections", "deadlines", "probe_regions"];

/**
 * Values of `meta` that no backup has: who is signed in, a limit of this hour, and what a registry derives again.
 */
export const presentMeta: ReadonlySet<string> = new Set([
  "sessions",
  "joinsLeft",
  "listeningSinceMs",
  "tableHash",
  "returning",
  "transfer",
  "lastBackupAtMs",
]);

/** All rows of a table that a backup has, page by page. */
export function* backupPages(
  database: SqlDatabase,
  { name, key, pageRows }: BackupTable,
): Generator<readonly SqlRow[]> {
  const columns = key.join(", ");
  let last: readonly SqlValue[] | null = null;
  for (;;) {
    const after = last === null ? "" : `WHERE (${columns}) > (${key.map(() => "?").join(", ")})`;
    const sql = `SELECT * FROM ${name} ${after} ORDER BY ${columns} LIMIT ${pageRows}`;
    const page: readonly SqlRow[] = database.exec(sql, ...(last ?? []));
    const end: SqlRow | undefined = page.at(-1);
    if (end === undefined) return;
    last = key.map((column) => end[column] ?? null);
    yield name === "meta" ? page.filter((row) => !presentMeta.has(String(row.key))) : page;
    if (page.length < pageRows) return;
  }
}
