// The registry's store: all rows that it keeps, in any synchronous SQLite.

import type { Dependency } from "../domain/model/dependency.ts";
import type { MeshEvent, NewEvent } from "../domain/model/event.ts";
import type { World } from "../domain/model/world.ts";
import { migrate } from "../storage/migrations.ts";
import { removeRows, type SqlDatabase, upsert } from "../storage/sql-database.ts";
import { BackupStore } from "./backup-store.ts";
import { type DeadlineName, dueDeadlines, nextDeadline, readDeadline, setDeadline } from "./deadlines.ts";
import {
  appendEvents,
  areEventNumbersUsable,
  lastEventSeq,
  readEvents,
  readNewestEvents,
} from "./event-log.ts";
import { registrySchema } from "./schema.ts";
import { loadWorld, saveWorld } from "./world-rows.ts";

/**
 * Single values of the mesh. `listeningSinceMs`: the registry was not running before it, so earlier silence
 * does not count. `hadNodes`: a node has joined once. `returning`: see returning-nodes.ts. `transfer`: see transfer.ts.
 * `lastBackupAtMs`: when the last backup began.
 */
type MetaKey =
  | "meshId"
  | "meshName"
  | "createdAtMs"
  | "joinDigest"
  | "workerSecret"
  | "managerSecret"
  | "cookieKey"
  | "gatewayKeys"
  | "tableVersion"
  | "tableHash"
  | "listeningSinceMs"
  | "spentIds"
  | "sessions"
  | "joinsLeft"
  | "hadNodes"
  | "returning"
  | "transfer"
  | "lastBackupAtMs";

/** How long used ids are remembered after they expired, milliseconds. */
const spentIdGraceMs = 86_400_000;

export class RegistryStore {
  readonly backup: BackupStore;
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.backup = new BackupStore(database);
  }

  /** Creates or upgrades the tables. Must run first, once per start. */
  migrate(nowMs: number): void {
    migrate(this.#database, registrySchema, nowMs);
  }

  transaction<T>(work: () => T): T {
    return this.#database.transactionSync(work);
  }

  world(): World {
    return loadWorld(this.#database);
  }

  saveWorld(before: World, after: World): void {
    saveWorld(this.#database, before, after);
  }

  meta(key: MetaKey): string | null {
    const [row] = this.#database.exec("SELECT value FROM meta WHERE key = ?", key);
    return row === undefined ? null : String(row.value);
  }

  setMeta(key: MetaKey, value: string): void {
    upsert(this.#database, "meta", ["key", "value"], [[key, value]]);
  }

  /**
   * Marks a one-time id as used; false if it was already, or if its time is over. Ids are remembered for a day
   * longer, in case the clock is set back.
   */
  redeem(id: string, untilMs: number, nowMs: number): boolean {
    if (untilMs <= nowMs) return false;
    const stored = JSON.parse(this.meta("spentIds") ?? "{}") as Record<string, number>;
    const live = Object.entries(stored).filter(([, endsAtMs]) => endsAtMs + spentIdGraceMs > nowMs);
    if (live.some(([usedId]) => usedId === id)) return false;
    this.setMeta("spentIds", JSON.stringify(Object.fromEntries([...live, [id, untilMs]])));
    return true;
  }

  appendEvents(newEvents: readonly NewEvent[], nowMs: number): readonly MeshEvent[] {
    return appendEvents(this.#database, newEvents, nowMs);
  }

  /** As `appendEvents`, numbered above `minSeq`. */
  appendEventsAbove(minSeq: number, newEvents: readonly NewEvent[], nowMs: number): void {
    appendEvents(this.#database, newEvents, nowMs, minSeq);
  }

  /** See `lastEventSeq` of event-log.ts. */
  lastEventSeq(): number {
    return lastEventSeq(this.#database);
  }

  /** See `areEventNumbersUsable` of event-log.ts. */
  areEventNumbersUsable(): boolean {
    return areEventNumbersUsable(this.#database);
  }

  events(sinceSeq: number, limit: number): readonly MeshEvent[] {
    return readEvents(this.#database, sinceSeq, limit);
  }

  newestEvents(limit: number): readonly MeshEvent[] {
    return readNewestEvents(this.#database, limit);
  }

  setDeadline(name: DeadlineName, atMs: number | null): void {
    setDeadline(this.#database, name, atMs);
  }

  deadline(name: DeadlineName): number | null {
    return readDeadline(this.#database, name);
  }

  nextDeadline(): number | null {
    return nextDeadline(this.#database);
  }

  dueDeadlines(nowMs: number): readonly DeadlineName[] {
    return dueDeadlines(this.#database, nowMs);
  }

  /** SHA-256 of a node's credential; null if it has none. The credential itself is not stored. */
  credentialHash(nodeId: string): string | null {
    const [row] = this.#database.exec("SELECT hash FROM credentials WHERE node_id = ?", nodeId);
    return row === undefined ? null : String(row.hash);
  }

  setCredentialHash(nodeId: string, hash: string): void {
    upsert(this.#database, "credentials", ["node_id", "hash"], [[nodeId, hash]]);
  }

  /** By node without a socket, when it was last known to have one, epoch milliseconds. */
  disconnectedAt(): ReadonlyMap<string, number> {
    const rows = this.#database.exec("SELECT node_id, lost_at_ms FROM connections");
    return new Map(rows.map((row) => [String(row.node_id), Number(row.lost_at_ms)]));
  }

  /** @param atMs when the nodes lost their sockets; null: they have one */
  setDisconnectedAt(nodeIds: readonly string[], atMs: number | null): void {
    if (atMs === null) removeRows(this.#database, "connections", "node_id", nodeIds);
    else {
      const rows = nodeIds.map((nodeId) => [nodeId, atMs]);
      upsert(this.#database, "connections", ["node_id", "lost_at_ms"], rows);
    }
  }

  /** By region, when its prober last reported, epoch milliseconds. */
  regionsSeenAt(): ReadonlyMap<string, number> {
    const rows = this.#database.exec("SELECT region, heard_at_ms FROM probe_regions");
    return new Map(rows.map((row) => [String(row.region), Number(row.heard_at_ms)]));
  }

  /** @param atMs when the region's prober reported; null: it is silent */
  setRegionSeenAt(region: string, atMs: number | null): void {
    if (atMs === null) removeRows(this.#database, "probe_regions", "region", [region]);
    else upsert(this.#database, "probe_regions", ["region", "heard_at_ms"], [[region, atMs]]);
  }

  /** All secrets and configs without their data. */
  dependencies(): readonly Dependency[] {
    const rows = this.#database.exec("SELECT body FROM dependencies ORDER BY id");
    return rows.map(({ body }) => JSON.parse(String(body)) as Dependency);
  }

  putDependency(dependency: Dependency): void {
    const { id, kind, name } = dependency;
    const row = [id, kind, name, JSON.stringify(dependency)];
    upsert(this.#database, "dependencies", ["id", "kind", "name", "body"], [row]);
  }

  /** The sealed data of a secret or config; null if there is no such. */
  dependencyData(id: string): string | null {
    const [row] = this.#database.exec("SELECT sealed FROM dependency_data WHERE id = ?", id);
    return row === undefined ? null : String(row.sealed);
  }

  putDependencyData(id: string, sealed: string): void {
    upsert(this.#database, "dependency_data", ["id", "sealed"], [[id, sealed]]);
  }

  removeDependency(id: string): void {
    removeRows(this.#database, "dependency_data", "id", [id]);
    removeRows(this.#database, "dependencies", "id", [id]);
  }

  /** Deletes the rows of a node besides the one in the world. */
  forgetNode(nodeId: string): void {
    removeRows(this.#database, "credentials", "node_id", [nodeId]);
    removeRows(this.#database, "connections", "node_id", [nodeId]);
  }
}
