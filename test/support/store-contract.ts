// What every database under the registry's store must do; run on node:sqlite and on a Durable Object's storage.

import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/domain/model/event.ts";
import type { MeshNode } from "../../src/domain/model/node.ts";
import type { Task } from "../../src/domain/model/task.ts";
import type { World } from "../../src/domain/model/world.ts";
import { maxEventsKept } from "../../src/registry/event-ring.ts";
import { migrate, migrations } from "../../src/registry/migrations.ts";
import { RegistryStore } from "../../src/registry/store.ts";
import type { SqlDatabase } from "../../src/storage/sql-database.ts";

const nowMs = 1_800_000_000_000;
const nothing: World = { nodes: new Map(), services: new Map(), tasks: new Map(), servers: new Map() };

/** @param withEmpty runs `work` on a database that holds nothing */
export function storeContract(
  name: string,
  withEmpty: (work: (database: SqlDatabase) => void) => Promise<void>,
): void {
  const withStore = (work: (store: RegistryStore, database: SqlDatabase) => void) =>
    withEmpty((database) => {
      const store = new RegistryStore(database);
      store.migrate(nowMs);
      work(store, database);
    });

  describe(`the store on ${name}`, () => {
    test("[M1] migrations are taken in order, each once, and leave the rows as they were", () =>
      withStore((store, database) => {
        store.setMeta("meshName", "first");
        const later = {
          number: 99,
          name: "later",
          statements: ["CREATE TABLE later (key TEXT PRIMARY KEY)"],
        };
        migrate(database, nowMs, [...migrations, later]);
        migrate(database, nowMs, [...migrations, later]);
        expect(
          database.exec("SELECT number FROM migrations ORDER BY number").map((row) => row.number),
        ).toEqual([...migrations, later].map(({ number }) => number));
        expect(store.meta("meshName")).toBe("first");
      }));

    test("[M1] a migration that fails leaves nothing behind", () =>
      withStore((store, database) => {
        const broken = {
          number: 99,
          name: "broken",
          statements: ["CREATE TABLE half (key TEXT)", "CREATE nonsense"],
        };
        expect(() => migrate(database, nowMs, [...migrations, broken])).toThrow();
        expect(database.exec("SELECT name FROM sqlite_master WHERE name = 'half'")).toEqual([]);
        store.migrate(nowMs);
      }));

    test("[M1] a database of a newer release is refused", () =>
      withStore((store, database) => {
        database.exec("INSERT INTO migrations (number, name, at_ms) VALUES (999, 'from later', 0)");
        expect(() => store.migrate(nowMs)).toThrow("at step 999");
      }));

    test("[M2] a transaction that throws leaves nothing", () =>
      withStore((store) => {
        const fail = () =>
          store.transaction(() => {
            store.setMeta("meshName", "half-done");
            throw new Error("stop");
          });
        expect(fail).toThrow("stop");
        expect(store.meta("meshName")).toBeNull();
        expect(store.transaction(() => 7)).toBe(7);
      }));

    test("[M3] a world is read back as it was saved, however many rows it has", () =>
      withStore((store) => {
        const world = { ...nothing, nodes: mapOf([node("n1"), node("n2")]), tasks: mapOf(manyTasks(260)) };
        store.saveWorld(nothing, world);
        expect(store.world()).toEqual(world);
      }));

    test("[M3] only what changed is written and what is gone is deleted", () =>
      withStore((store, database) => {
        const before = { ...nothing, tasks: mapOf(manyTasks(250)) };
        store.saveWorld(nothing, before);
        database.exec("UPDATE tasks SET body = 'untouched' WHERE id = 'task-0000'");
        const [kept, ...others] = [...before.tasks.values()];
        const after = { ...nothing, tasks: mapOf(kept ? [kept, { ...task("task-0001"), slot: 99 }] : []) };
        store.saveWorld(before, after);
        expect(others).toHaveLength(249);
        const rows = database.exec("SELECT id, body FROM tasks ORDER BY id");
        expect(rows.map(({ id }) => id)).toEqual(["task-0000", "task-0001"]);
        expect(rows[0]?.body).toBe("untouched");
        expect(rows[1]?.body).toContain('"slot":99');
      }));

    test("[M4] events are numbered without a gap and the newest thousand are kept", () =>
      withStore((store) => {
        expect(store.appendEvents([event("a"), event("b")], nowMs).map(({ seq }) => seq)).toEqual([1, 2]);
        for (let round = 0; round < 11; round += 1) {
          store.appendEvents(
            Array.from({ length: 100 }, (_, index) => event(`${round}/${index}`)),
            nowMs + round,
          );
        }
        const kept = store.events(0, 10_000);
        expect(kept).toHaveLength(maxEventsKept);
        expect(kept.map(({ seq }) => seq)).toEqual(
          Array.from({ length: maxEventsKept }, (_, index) => 103 + index),
        );
        expect(kept.at(-1)).toEqual({ ...event("10/99"), seq: 1102, atMs: nowMs + 10 });
      }));

    test("[M4] events are read from a number on, oldest first, up to a limit", () =>
      withStore((store) => {
        store.appendEvents(["a", "b", "c", "d"].map(event), nowMs);
        expect(store.events(1, 2).map(({ why }) => why)).toEqual(["b", "c"]);
        expect(store.events(4, 2)).toEqual([]);
      }));

    test("[M5] the next deadline is the earliest one set, and a due one stays until it is set anew", () =>
      withStore((store) => {
        expect(store.nextDeadline()).toBeNull();
        store.setDeadline("reconcile", 200);
        store.setDeadline("liveness", 100);
        expect(store.nextDeadline()).toBe(100);
        expect(store.dueDeadlines(99)).toEqual([]);
        expect(store.dueDeadlines(200)).toEqual(["liveness", "reconcile"]);
        store.setDeadline("liveness", null);
        store.setDeadline("reconcile", 300);
        expect(store.nextDeadline()).toBe(300);
        expect(store.deadline("liveness")).toBeNull();
      }));

    test("[M6] what is kept of a node's connection goes with the node", () =>
      withStore((store) => {
        store.setCredentialHash("n1", "hash");
        store.setDisconnectedAt("n1", 5);
        store.setDisconnectedAt("n2", 6);
        store.setDisconnectedAt("n2", null);
        expect(store.disconnectedAt()).toEqual(new Map([["n1", 5]]));
        store.forgetNode("n1");
        expect(store.disconnectedAt()).toEqual(new Map());
        expect(store.credentialHash("n1")).toBeNull();
      }));
  });
}

function mapOf<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}

function manyTasks(count: number): readonly Task[] {
  return Array.from({ length: count }, (_, index) => task(`task-${String(index).padStart(4, "0")}`));
}

function event(why: string): NewEvent {
  return { actor: "operator", action: "test", subject: { type: "mesh", id: "m", name: "mesh" }, why };
}

function node(id: string): MeshNode {
  return {
    id,
    hostname: `host-${id}`,
    address: "127.0.0.2",
    entryHosts: [],
    role: "worker",
    availability: "active",
    labels: { zone: "ä \"quoted\" 'too'" },
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 1, memoryBytes: 2 },
    engineVersion: "0.1.0",
    runtime: "process",
    state: "ready",
    message: "",
    stateSinceMs: nowMs,
    version: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}

function task(id: string): Task {
  return {
    id,
    serviceId: "s1",
    slot: 1,
    nodeId: null,
    run: {
      image: "waggle/whoami",
      command: [],
      args: [],
      env: [],
      dir: "",
      stopSignal: "SIGTERM",
      stopGraceMs: 1,
      targets: [80],
    },
    document: { ContainerSpec: { Image: "waggle/whoami" } },
    runHash: "h",
    desired: "running",
    state: "pending",
    message: "",
    err: "",
    stateSinceMs: nowMs,
    createdAtMs: nowMs,
    notBeforeMs: 0,
    version: 1,
    endpoints: [],
    health: null,
    pid: null,
    exitCode: null,
  };
}
