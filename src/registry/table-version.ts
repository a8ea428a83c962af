// The routing table's version: it rises when the table's text changes, and only then.

import { createHash } from "node:crypto";
import { compileTable } from "../domain/compile/compile-table.ts";
import type { World } from "../domain/model/world.ts";
import { printTable } from "../domain/table/text.ts";
import { signingKeyId } from "./gateway-keys.ts";
import type { RegistryStore } from "./store.ts";

/** The printed table of a world. @param signingKey id of the gateway key that routers sign with */
export function tableText(world: World, version: number, signingKey: string | null): string {
  return printTable(compileTable(world, version, signingKey));
}

/** The saved version; 0 before the first table. */
export function tableVersion(store: RegistryStore): number {
  return Number(store.meta("tableVersion") ?? 0);
}

/** Raises the version if the table changed. Returns the new version, or null if it did not. */
export function raiseTableVersion(store: RegistryStore, world: World): number | null {
  const hash = createHash("sha256")
    .update(tableText(world, 0, signingKeyId(store)))
    .digest("base64url");
  if (hash === store.meta("tableHash")) return null;
  const version = tableVersion(store) + 1;
  store.setMeta("tableVersion", String(version));
  store.setMeta("tableHash", hash);
  return version;
}
