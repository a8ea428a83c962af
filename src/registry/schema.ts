// The registry's tables, as migration steps.
//
// Nodes, services, tasks, servers and networks are loaded whole and decided on in memory, so a row is a key and a JSON
// body. The other columns are for people who inspect the database. They have no index: each index costs one
// more written row.

import type { Schema } from "../storage/migrations.ts";

export const registrySchema: Schema = {
  owner: "the registry",
  migrations: [
    {
      number: 1,
      name: "the world, its memory of the mesh, events, deadlines and credentials",
      readableFrom: 1,
      statements: [
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE nodes (id TEXT PRIMARY KEY, hostname TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE services (id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE tasks (id TEXT PRIMARY KEY, service_id TEXT NOT NULL, node_id TEXT, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE credentials (node_id TEXT PRIMARY KEY, hash TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE connections (node_id TEXT PRIMARY KEY, lost_at_ms INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL)",
        "CREATE TABLE deadlines (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID",
      ],
    },
    {
      number: 2,
      name: "static servers, and when each region's checks were last heard",
      readableFrom: 1,
      statements: [
        "CREATE TABLE servers (id TEXT PRIMARY KEY, service_id TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE probe_regions (region TEXT PRIMARY KEY, heard_at_ms INTEGER NOT NULL) WITHOUT ROWID",
      ],
    },
    {
      number: 3,
      name: "a node's admin state is called as those of tasks and servers are",
      readableFrom: 3,
      statements: [
        "UPDATE nodes SET body = json_remove(json_set(body, '$.admin', json_extract(body, '$.balance')), '$.balance') WHERE json_extract(body, '$.balance') IS NOT NULL",
      ],
    },
    {
      number: 4,
      name: "nodes that joined before addresses were checked keep theirs",
      readableFrom: 3,
      statements: [
        "UPDATE nodes SET body = json_set(body, '$.provenAddress', json_extract(body, '$.address'))",
      ],
    },
    {
      number: 5,
      name: "nodes that said hello are known",
      readableFrom: 3,
      statements: [
        "UPDATE nodes SET body = json_set(body, '$.wasReady', json('true')) WHERE json_extract(body, '$.state') <> 'unknown'",
      ],
    },
    {
      number: 6,
      name: "the events of operators are kept apart from those of nodes and the registry",
      readableFrom: 6,
      statements: [
        "CREATE TABLE event_log (trail TEXT NOT NULL, place INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (trail, place)) WITHOUT ROWID",
        "INSERT INTO event_log (trail, place, seq, at_ms, body) SELECT CASE WHEN json_extract(body, '$.actor') = 'registry' OR json_extract(body, '$.actor') LIKE 'node %' THEN 'mesh' ELSE 'operator' END, seq, seq, at_ms, body FROM events",
        "DROP TABLE events",
      ],
    },
    {
      number: 7,
      name: "networks",
      readableFrom: 6,
      statements: [
        "CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
      ],
    },
    {
      number: 8,
      name: "secrets and configs, their data sealed and apart from what lists show",
      readableFrom: 6,
      statements: [
        "CREATE TABLE dependencies (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE dependency_data (id TEXT PRIMARY KEY, sealed TEXT NOT NULL) WITHOUT ROWID",
      ],
    },
    {
      number: 9,
      name: "parts of a backup or restore on their way, and whether the mesh ever had nodes",
      readableFrom: 6,
      statements: [
        // A restore makes all other tables again.
        "CREATE TABLE IF NOT EXISTS transfer_parts (number INTEGER PRIMARY KEY, body TEXT NOT NULL)",
        "INSERT INTO meta (key, value) SELECT 'hadNodes', 'true' WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'meshId')",
      ],
    },
  ],
};
