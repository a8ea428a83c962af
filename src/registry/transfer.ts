// The transfer: the one backup or restore of a registry whose parts are on their way. Its parts are rows, so that a
// registry of any size needs the memory of one part, and a reset of the object interrupts nothing. They change
// nothing of the mesh.

import { MeshError } from "../domain/model/error.ts";
import type { MeshContents } from "../protocol/backup.ts";
import type { RegistryStore } from "./store.ts";

export type Transfer = {
  readonly id: string;
  readonly kind: "backup" | "restore";
  /** When it began, epoch milliseconds. */
  readonly atMs: number;
  readonly parts: number;
  /** The step of the tables that the rows are from. */
  readonly step: number;
  /** True: its parts are deleted. Absent: they may be there. */
  readonly ended?: true;
  /** What a restore brought, once it is done: the call that ends it may be repeated. */
  readonly restored?: MeshContents;
};

/** A transfer that takes longer is given up, milliseconds: 2 GB at 20 Mbit/s. */
const transferMs = 15 * 60_000;

/** Begins a transfer. An unfinished one is given up. */
export function beginTransfer(store: RegistryStore, transfer: Transfer): void {
  store.backup.clearParts();
  saveTransfer(store, transfer);
}

export function saveTransfer(store: RegistryStore, transfer: Transfer): void {
  store.setMeta("transfer", JSON.stringify(transfer));
}

/** The transfer that began last; null before the first. */
export function lastTransfer(store: RegistryStore): Transfer | null {
  return JSON.parse(store.meta("transfer") ?? "null") as Transfer | null;
}

/** @throws MeshError backup/not-found, restore/not-found */
export function findTransfer(
  store: RegistryStore,
  kind: Transfer["kind"],
  id: string,
  nowMs: number,
): Transfer {
  const transfer = lastTransfer(store);
  const isKnown = transfer?.id === id && transfer.kind === kind && !isOver(transfer, nowMs);
  if (isKnown) return transfer;
  const message = `this mesh has no such ${kind} any more: it took longer than ${transferMs / 60_000} minutes, or another one began since; begin again`;
  throw new MeshError(`${kind}/not-found`, message, { blame: "operator", retry: "never" });
}

/** Deletes the parts. What is known of the transfer stays. */
export function endTransfer(store: RegistryStore): void {
  const transfer = lastTransfer(store);
  if (transfer === null || transfer.ended) return;
  store.backup.clearParts();
  saveTransfer(store, { ...transfer, ended: true });
}

/**
 * Deletes the parts of a transfer that took too long. It is called with whatever else is due, and has no deadline of
 * its own: an earlier release, after a rollback, would never clear it.
 */
export function expireTransfer(store: RegistryStore, nowMs: number): void {
  const transfer = lastTransfer(store);
  if (transfer !== null && !transfer.ended && isOver(transfer, nowMs)) endTransfer(store);
}

/** One that lies ahead is from before the clock was set back. */
function isOver({ atMs }: Transfer, nowMs: number): boolean {
  return Math.abs(nowMs - atMs) > transferMs;
}
