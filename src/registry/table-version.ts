// The routing table's version: it rises when the table a reader sees is another, and only then.

import { createHash } from "node:crypto";
import { compileTable } from "../domain/compile/compile-table.ts";
import type { World } from "../domain/model/world.ts";
import { printTable } from "../domain/table/text.ts";
import type { RegistryStore } from "./store.ts";

/** The table of a world, printed under a version. */
export function tableText(world: World, version: number): string {
  return printTable(compileTable(world, version));
}

/** The version of the table last saved; 0 before there was one. */
export function tableVersion(store: RegistryStore): number {
  return Number(store.meta("tableVersion") ?? 0);
}

/** Raises the version if the table differs from the last one. Returns the new version, or null when it stays. */
export function raiseTableVersion(store: RegistryStore, world: World): number | null {
  const hash = createHash("sha256").update(tableText(world, 0)).digest("base64url");
  if (hash === store.meta("tableHash")) return null;
  const version = tableVersion(store) + 1;
  store.setMeta("tableVersion", String(version));
  store.setMeta("tableHash", hash);
  return version;
}
