// The registry's memory: every row it keeps, over any synchronous SQLite.

import type { MeshEvent, NewEvent } from "../domain/model/event.ts";
import type { World } from "../domain/model/world.ts";
import { type DeadlineName, dueDeadlines, nextDeadline, readDeadline, setDeadline } from "./deadlines.ts";
import { appendEvents, readEvents } from "./event-ring.ts";
import { migrate } from "./migrations.ts";
import { removeRows, type SqlPort, upsert } from "../storage/sql-database.ts";
import { loadWorld, saveWorld } from "./world-rows.ts";

/** Facts of the mesh as a whole. `listeningSinceMs`: silence before it is the registry's own, not a node's. */
export type MetaKey =
  | "meshId"
  | "meshName"
  | "createdAtMs"
  | "joinDigest"
  | "workerSecret"
  | "managerSecret"
  | "cookieKey"
  | "tableVersion"
  | "tableHash"
  | "listeningSinceMs"
  | "spentIds";

export class SqlStore {
  readonly #port: SqlPort;

  constructor(port: SqlPort) {
    this.#port = port;
  }

  /** Makes or upgrades the tables. Comes before everything else, once for each start. */
  migrate(nowMs: number): void {
    migrate(this.#port, nowMs);
  }

  /** Runs `work` whole or not at all. */
  transaction<T>(work: () => T): T {
    return this.#port.transactionSync(work);
  }

  world(): World {
    return loadWorld(this.#port);
  }

  saveWorld(before: World, after: World): void {
    saveWorld(this.#port, before, after);
  }

  meta(key: MetaKey): string | null {
    const [row] = this.#port.exec("SELECT value FROM meta WHERE key = ?", key);
    return row === undefined ? null : String(row.value);
  }

  setMeta(key: MetaKey, value: string): void {
    upsert(this.#port, "meta", ["key", "value"], [[key, value]]);
  }

  appendEvents(news: readonly NewEvent[], nowMs: number): readonly MeshEvent[] {
    return appendEvents(this.#port, news, nowMs);
  }

  events(sinceSeq: number, limit: number): readonly MeshEvent[] {
    return readEvents(this.#port, sinceSeq, limit);
  }

  setDeadline(name: DeadlineName, atMs: number | null): void {
    setDeadline(this.#port, name, atMs);
  }

  deadline(name: DeadlineName): number | null {
    return readDeadline(this.#port, name);
  }

  nextDeadline(): number | null {
    return nextDeadline(this.#port);
  }

  dueDeadlines(nowMs: number): readonly DeadlineName[] {
    return dueDeadlines(this.#port, nowMs);
  }

  /** SHA-256 of a node's credential; null when it has none. The credential itself is kept nowhere. */
  credentialHash(nodeId: string): string | null {
    const [row] = this.#port.exec("SELECT hash FROM credentials WHERE node_id = ?", nodeId);
    return row === undefined ? null : String(row.hash);
  }

  setCredentialHash(nodeId: string, hash: string): void {
    upsert(this.#port, "credentials", ["node_id", "hash"], [[nodeId, hash]]);
  }

  /** When each node without a socket was last known to have one, epoch milliseconds. */
  disconnectedAt(): ReadonlyMap<string, number> {
    const rows = this.#port.exec("SELECT node_id, lost_at_ms FROM connections");
    return new Map(rows.map((row) => [String(row.node_id), Number(row.lost_at_ms)]));
  }

  /** Notes that a node's socket is gone since `atMs`, or, with null, that it has one. */
  setDisconnectedAt(nodeId: string, atMs: number | null): void {
    if (atMs === null) removeRows(this.#port, "connections", "node_id", [nodeId]);
    else upsert(this.#port, "connections", ["node_id", "lost_at_ms"], [[nodeId, atMs]]);
  }

  /** When the checks of each region were last heard of, epoch milliseconds. */
  regionsSeenAt(): ReadonlyMap<string, number> {
    const rows = this.#port.exec("SELECT region, heard_at_ms FROM probe_regions");
    return new Map(rows.map((row) => [String(row.region), Number(row.heard_at_ms)]));
  }

  /** Notes that a region was heard of, or, with null, that it is silent. */
  setRegionSeenAt(region: string, atMs: number | null): void {
    if (atMs === null) removeRows(this.#port, "probe_regions", "region", [region]);
    else upsert(this.#port, "probe_regions", ["region", "heard_at_ms"], [[region, atMs]]);
  }

  /** Forgets what was kept of a node besides its row in the world. */
  forgetNode(nodeId: string): void {
    removeRows(this.#port, "credentials", "node_id", [nodeId]);
    removeRows(this.#port, "connections", "node_id", [nodeId]);
  }
}
