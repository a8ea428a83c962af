// The routing table's version: it rises when the table a reader sees is another, and only then.

import { createHash } from "node:crypto";
import { compileTable } from "../domain/compile/compile-table.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Task } from "../domain/model/task.ts";
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

/**
 * Whether two worlds differ in anything that reconcile or the table go by: false is sure, true is worth asking them.
 * Most reports only move a streak or a message, and a large world takes its time to decide and print.
 */
export function needsReconcile(before: World, after: World): boolean {
  if (before.nodes !== after.nodes || before.services !== after.services) return true;
  if (before.servers !== after.servers && serversFingerprint(before) !== serversFingerprint(after))
    return true;
  if (before.tasks === after.tasks) return false;
  if (before.tasks.size !== after.tasks.size) return true;
  for (const [id, task] of after.tasks) {
    const old = before.tasks.get(id);
    if (old !== task && (old === undefined || taskFingerprint(old) !== taskFingerprint(task))) return true;
  }
  return false;
}

/** All of a task that reconcile or the table could go by and an agent can change. */
function taskFingerprint({
  serviceId,
  slot,
  nodeId,
  desired,
  state,
  endpoints,
  health,
  admin,
}: Task): string {
  const verdict = health?.verdict ?? null;
  return JSON.stringify([serviceId, slot, nodeId, desired, state, endpoints, verdict, admin]);
}

/** All of the servers that the table could go by. */
function serversFingerprint({ servers }: World): string {
  return JSON.stringify(
    [...servers.values()].map((server) => [
      server.id,
      server.spec,
      server.admin,
      serverHealthFingerprint(server),
    ]),
  );
}

function serverHealthFingerprint({ health }: StaticServer): readonly unknown[] | null {
  return health && [health.up, health.sinceMs, health.last?.word === "L7OKC"];
}
