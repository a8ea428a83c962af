// Restores a backup: replaces all rows of the registry by those of the backup, in one transaction, so that agents and
// routers of the backed-up mesh go on with this one.
//
// Versions go on above those of both meshes. A router with a table of the mesh that was backed up takes the restored
// table for a newer one, however long that mesh went on after the backup.

import { MeshError } from "../domain/model/error.ts";
import { isByOperator, maxEventsKept } from "../domain/model/event.ts";
import type { World } from "../domain/model/world.ts";
import { closeCodes } from "../protocol/agent.ts";
import {
  type BackupRows,
  contentsText,
  type MeshContents,
  openPart,
  type RestoreCommit,
  type RestoreRequest,
  type RestoreStarted,
  readPart,
} from "../protocol/backup.ts";
import { maxRisingNumber } from "../storage/sql-database.ts";
import { sealRows } from "./backup-secrets.ts";
import { newestStep } from "./backup-store.ts";
import { backupTables, presentMeta } from "./backup-tables.ts";
import { type Draft, type DraftContext, meshSubject } from "./draft.ts";
import { settleTransport } from "./gateway-checks.ts";
import { advanceRotation } from "./gateway-keys.ts";
import { recordStart } from "./liveness.ts";
import { scheduleRegionSweep } from "./probing.ts";
import { awaitNodes } from "./returning-nodes.ts";
import type { RegistryStore } from "./store.ts";
import { beginTransfer, endTransfer, findTransfer, saveTransfer, type Transfer } from "./transfer.ts";

/** Versions of the table that routers may have beyond the known ones, besides one for each millisecond since. */
const versionMargin = 1_000_000;
/** The same for numbers of events, of which there are few. */
const eventMargin = 1_000_000;

/** Begins a restore, and changes nothing of the mesh. @throws MeshError restore/invalid, restore/conflict */
export function startRestore(draft: Draft, { step, parts, replace }: RestoreRequest): RestoreStarted {
  const { store, context, nowMs, world } = draft;
  if (step > newestStep)
    throw new MeshError(
      "restore/invalid",
      `the backup has tables of step ${step}, and this mesh's release knows those up to step ${newestStep}: deploy the release of the backup, or a later one, and restore then`,
      { blame: "operator", retry: "never" },
    );
  const contents = contentsOf(world, store);
  if (!replace) requireEmpty(store, contents);
  const id = context.newId();
  beginTransfer(store, { id, kind: "restore", atMs: nowMs, parts, step });
  const { id: meshId, name } = meshSubject(draft);
  return { id, mesh: { id: meshId, name }, contents, seq: store.lastEventSeq() };
}

/** Keeps a part until the restore is committed. It may be sent again. @throws MeshError restore/not-found, restore/invalid */
export function putRestorePart(
  { store, context, nowMs }: Draft,
  id: string,
  number: number,
  part: string,
): void {
  const { parts } = findTransfer(store, "restore", id, nowMs);
  if (number >= parts || openPart(part, context.sealSecret, { transfer: id, number }) === null)
    throw invalid(`part ${number} of the restore is not one of this restore, or was changed on its way`);
  store.backup.putPart(number, part);
}

/** A restore whose parts have arrived. */
export type LoadedRestore = Pick<DraftContext, "newSecret" | "sealSecret" | "nowMs"> & {
  readonly id: string;
  readonly commit: RestoreCommit;
  readonly actor: string;
  /** The world that is replaced. */
  readonly before: World;
  readonly meshName: string;
};

/**
 * Replaces all rows. For use in a transaction, which is rolled back if this throws.
 *
 * @throws MeshError restore/not-found, restore/conflict, restore/invalid
 */
export function loadBackup(
  store: RegistryStore,
  { id, commit, actor, before, newSecret, sealSecret, nowMs, meshName }: LoadedRestore,
): void {
  const { replace, returnMs, source, seq: shownSeq } = commit;
  const transfer = findTransfer(store, "restore", id, nowMs);
  if (!replace) requireEmpty(store, contentsOf(before, store));
  if (shownSeq !== undefined) requireUnchanged(store, shownSeq, meshName);
  const missing = transfer.parts - store.backup.countParts();
  if (missing > 0) throw invalid(`${missing} of ${transfer.parts} parts of the backup have not arrived`);
  // The mesh stays what its state folder and its clients know it as.
  const meshId = store.meta("meshId") ?? "";
  const goneMs = Math.max(0, nowMs - source.atMs);
  // Numbers of this mesh that cannot be gone on from are ignored: a restore is what mends it.
  const own = {
    tableVersion: versionAfter(store, goneMs) ?? 0,
    seq: sumBelowMax(store.lastEventSeq(), eventMargin) ?? 0,
  };
  const spentIds = JSON.parse(store.meta("spentIds") ?? "{}") as object;
  const parts = readParts(store, transfer, { newSecret, sealSecret });
  store.backup.replace(transfer.step, parts, [...presentMeta]);
  if (store.meta("meshId") === null)
    throw invalid("the backup has no mesh: its rows of the table meta are missing");
  const tableVersion = versionAfter(store, goneMs);
  const seq = store.areEventNumbersUsable() ? sumBelowMax(store.lastEventSeq(), eventMargin) : null;
  if (tableVersion === null) throw outOfRange("the version of the routing table");
  if (seq === null) throw outOfRange("a number or time of an event");
  store.setMeta("tableVersion", String(Math.max(own.tableVersion, tableVersion)));
  store.backup.removeMeta(["tableHash"]);
  store.setMeta("meshId", meshId);
  store.setMeta("hadNodes", "true");
  store.setMeta("listeningSinceMs", String(nowMs));
  store.setMeta("spentIds", JSON.stringify({ ...JSON.parse(store.meta("spentIds") ?? "{}"), ...spentIds }));
  awaitNodes(store, { sinceMs: nowMs, untilMs: nowMs + returnMs });
  const at = new Date(source.atMs).toISOString();
  const why = `from the backup of ${source.mesh} of ${at} (waggle ${source.version})`;
  const subject = { type: "mesh", id: meshId, name: meshName } as const;
  store.appendEventsAbove(Math.max(own.seq, seq), [{ actor, action: "mesh.restore", subject, why }], nowMs);
}

/** Settles the restored world: agents of both meshes dial again, and tasks go on. */
export function followBackup(draft: Draft, id: string, before: World): MeshContents {
  const { store, world } = draft;
  for (const nodeId of before.nodes.keys()) {
    if (world.nodes.has(nodeId))
      draft.close(nodeId, closeCodes.goingAway, "the mesh was restored from a backup");
    else draft.close(nodeId, closeCodes.notAMember, "the mesh was replaced by a backup without this node");
  }
  recordStart(draft, new Set());
  // The transports of this mesh may be others.
  for (const node of world.nodes.values()) settleTransport(draft, node, "registry");
  advanceRotation(draft);
  draft.hasNewKeys = true;
  scheduleRegionSweep(draft);
  const contents = contentsOf(draft.world, store);
  saveTransfer(store, { ...findTransfer(store, "restore", id, draft.nowMs), restored: contents });
  endTransfer(store);
  return contents;
}

/** A backup of a registry that was damaged has rows that nothing expects. @throws MeshError restore/invalid in place of any error */
export function orUnusable<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw invalid(`the rows of the backup cannot be used: ${(error as Error).message}`, error);
  }
}

/** What a mesh has, by name. The network that every mesh has is not named. */
function contentsOf({ nodes, services, servers, networks }: World, store: RegistryStore): MeshContents {
  const dependencies = store.dependencies();
  const named = (kind: "secret" | "config") => dependencies.filter((one) => one.kind === kind);
  const names = <T>(all: Iterable<T>, nameOf: (one: T) => string) => [...all].map(nameOf).sort();
  return {
    services: names(services.values(), ({ spec }) => spec.name),
    nodes: names(nodes.values(), ({ hostname }) => hostname),
    servers: names(servers.values(), ({ spec }) => spec.name),
    networks: names(networks.values(), ({ name }) => name).filter((name) => name !== "ingress"),
    secrets: names(named("secret"), ({ name }) => name),
    configs: names(named("config"), ({ name }) => name),
  };
}

/** @throws MeshError restore/conflict */
function requireEmpty(store: RegistryStore, contents: MeshContents): void {
  const found = contentsText(contents);
  if (found === "") return;
  throw new MeshError(
    "restore/conflict",
    `the mesh ${store.meta("meshName") ?? ""} is not empty, it has ${found}: restore into a new mesh, or replace all of this one with --replace`,
    { blame: "operator", retry: "never" },
  );
}

/** Changes by nodes that a restore takes back, besides all by operators. */
const lostActions: ReadonlySet<string> = new Set(["node.join", "service.discover"]);

/** Changes that a sentence names. */
const maxNamedChanges = 5;

/**
 * The operator confirmed what is lost as it was at an event; what came later was not confirmed.
 *
 * @throws MeshError restore/conflict with the changes since
 */
function requireUnchanged(store: RegistryStore, shownSeq: number, meshName: string): void {
  const changes = store
    .events(shownSeq, maxEventsKept)
    // A damaged registry may have other numbers, and is mended by a restore.
    .filter(({ seq }) => Number.isInteger(seq) && seq < maxRisingNumber)
    .filter((event) => isByOperator(event) || lostActions.has(event.action));
  if (changes.length === 0) return;
  const named = changes
    .slice(0, maxNamedChanges)
    .map(({ actor, action, subject }) => `${action} ${subject.name} by ${actor}`);
  const others = changes.length - named.length;
  throw new MeshError(
    "restore/conflict",
    `the mesh ${meshName} has changed since it was shown what the restore deletes (${named.join(", ")}${others > 0 ? ` and ${others} more` : ""}): restore again, and confirm what it has now`,
    { blame: "operator", retry: "never" },
  );
}

/** The rows of all parts as this registry stores them, one part after the other. */
function* readParts(
  store: RegistryStore,
  { id, parts }: Transfer,
  { newSecret, sealSecret }: Pick<LoadedRestore, "newSecret" | "sealSecret">,
): Generator<BackupRows> {
  for (let number = 0; number < parts; number += 1) {
    const bytes = openPart(store.backup.part(number) ?? "", sealSecret, { transfer: id, number });
    const part = bytes === null ? null : readPart(bytes);
    if (part === null || !isBackupTable(part.table))
      throw invalid(`part ${number} of the backup cannot be read`);
    yield part.table === "meta" ? withoutPresent(part) : sealRows(part, sealSecret, newSecret);
  }
}

function isBackupTable(table: string): boolean {
  return backupTables.some(({ name }) => name === table);
}

/** A version of the routing table that no router has; null if it would reach the maximum. */
function versionAfter(store: RegistryStore, goneMs: number): number | null {
  const text = store.meta("tableVersion") ?? "0";
  return /^\d{1,16}$/.test(text) ? sumBelowMax(Number(text), goneMs + versionMargin) : null;
}

function sumBelowMax(number: number, margin: number): number | null {
  const sum = number + margin;
  return sum < maxRisingNumber ? sum : null;
}

function outOfRange(what: string): MeshError {
  return invalid(
    `the backup cannot be used: ${what} is not a whole number that leaves room below ${maxRisingNumber}; restore an earlier backup`,
  );
}

function withoutPresent(part: BackupRows): BackupRows {
  const at = part.columns.indexOf("key");
  return { ...part, rows: part.rows.filter((row) => !presentMeta.has(String(row[at]))) };
}

function invalid(message: string, cause?: unknown): MeshError {
  return new MeshError("restore/invalid", message, { blame: "operator", retry: "never", cause });
}
