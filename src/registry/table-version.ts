// The routing table's version: it rises when the table's text changes, and only then.

import { signingKeyId } from "./gateway-keys.ts";
import type { PrintedTable } from "./printed-table.ts";
import type { RegistryStore } from "./store.ts";

/** The saved version; 0 before the first table. */
export function tableVersion(store: RegistryStore): number {
  return Number(store.meta("tableVersion") ?? 0);
}

/** True if the table is printed as the saved version was; another release may print it otherwise. */
export function isSavedTable(store: RegistryStore, table: PrintedTable): boolean {
  return table.hash(signingKeyId(store)) === store.meta("tableHash");
}

/** Raises the version if the table changed. Returns the new version, or null if it did not. */
export function raiseTableVersion(store: RegistryStore, table: PrintedTable): number | null {
  const hash = table.hash(signingKeyId(store));
  if (hash === store.meta("tableHash")) return null;
  const version = tableVersion(store) + 1;
  store.setMeta("tableVersion", String(version));
  store.setMeta("tableHash", hash);
  return version;
}
