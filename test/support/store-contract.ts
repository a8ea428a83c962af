// The contract of every database under the stores; run on node:sqlite and on a Durable Object's storage.

import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/domain/model/event.ts";
import { maxEventsOfTrail } from "../../src/domain/model/event.ts";
import type { MeshNode } from "../../src/domain/model/node.ts";
import type { ProbeTarget } from "../../src/domain/model/probe-list.ts";
import { withCheckDefaults } from "../../src/domain/model/server.ts";
import type { Task } from "../../src/domain/model/task.ts";
import type { World } from "../../src/domain/model/world.ts";
import type { StoredRegionHealth } from "../../src/prober/check-schedule.ts";
import { ProberStore } from "../../src/prober/prober-store.ts";
import { registrySchema } from "../../src/registry/schema.ts";
import { RegistryStore } from "../../src/registry/store.ts";
import { migrate, type Schema } from "../../src/storage/migrations.ts";
import type { SqlDatabase, SqlValue } from "../../src/storage/sql-database.ts";
import { Telemetry } from "../../src/telemetry/telemetry.ts";

const nowMs = 1_800_000_000_000;
const emptyWorld: World = {
  nodes: new Map(),
  services: new Map(),
  tasks: new Map(),
  servers: new Map(),
  networks: new Map(),
};

/** @param withEmpty runs `work` on an empty database */
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

  describe(`the stores on ${name}`, () => {
    test("[M1] migration steps run in order, each once, and leave the rows as they were", () =>
      withStore((store, database) => {
        store.setMeta("meshName", "first");
        const schema = extended("CREATE TABLE later (key TEXT PRIMARY KEY)");
        migrate(database, schema, nowMs);
        migrate(database, schema, nowMs);
        expect(stepsOf(database)).toEqual(schema.migrations.map(({ number }) => number));
        expect(store.meta("meshName")).toBe("first");
      }));

    test("[M1] a migration step that fails leaves nothing behind", () =>
      withStore((store, database) => {
        const schema = extended("CREATE TABLE half (key TEXT)", "CREATE nonsense");
        expect(() => migrate(database, schema, nowMs)).toThrow();
        expect(database.exec("SELECT name FROM sqlite_master WHERE name = 'half'")).toEqual([]);
        store.migrate(nowMs);
      }));

    test("[M1] a database of a newer release is refused", () =>
      withStore((store, database) => {
        database.exec("INSERT INTO migrations (number, name, at_ms) VALUES (999, 'from later', 0)");
        expect(() => store.migrate(nowMs)).toThrow("at step 999");
      }));

    test("[M200] a database of a later release is used if all of its further steps are readable from this one", () =>
      withStore((store, database) => {
        const newest = Math.max(...registrySchema.migrations.map(({ number }) => number));
        const later = extended("CREATE TABLE later (key TEXT PRIMARY KEY)");
        migrate(database, { ...later, migrations: withReadableFrom(later, newest) }, nowMs);
        store.setMeta("meshName", "written after a rollback");
        store.migrate(nowMs);
        migrate(database, later, nowMs);
        expect(store.meta("meshName")).toBe("written after a rollback");
        database.exec("UPDATE migrations SET readable_from = 99 WHERE number = 99");
        expect(() => store.migrate(nowMs)).toThrow(
          /at step 99, .* from step 99 on; this release is at step \d+/,
        );
      }));

    test("[M200] steps of a release that did not note it are readable as this one knows them", () =>
      withEmpty((database) => {
        database.exec(
          "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at_ms INTEGER NOT NULL)",
        );
        database.exec(
          "INSERT INTO migrations (number, name, at_ms) VALUES (1, 'first', 0), (2, 'second', 0)",
        );
        const step = (number: number, readableFrom: number) => ({
          number,
          name: "",
          readableFrom,
          statements: [],
        });
        migrate(database, { owner: "a test", migrations: [step(1, 1), step(2, 1)] }, nowMs);
        migrate(database, { owner: "a test", migrations: [step(1, 1)] }, nowMs);
        expect(stepsOf(database)).toEqual([1, 2]);
      }));

    test("[M1] telemetry tables that are older than the migration runner keep their rows", () =>
      withEmpty((database) => {
        database.exec("CREATE TABLE IF NOT EXISTS head (number INTEGER PRIMARY KEY, body TEXT NOT NULL)");
        database.exec("CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, body TEXT NOT NULL)");
        const head = JSON.stringify({ format: 2, sinceMs: 7, seqs: [["isolate1", 3]] });
        database.exec("INSERT INTO head (number, body) VALUES (1, ?)", head);
        for (let starts = 0; starts < 2; starts += 1) {
          expect(new Telemetry(database, () => nowMs).snapshot({}).sinceMs).toBe(7);
        }
        expect(stepsOf(database)).toEqual([1, 2]);
      }));

    test("[M1] prober tables that are older than the migration runner keep their rows", () =>
      withEmpty((database) => {
        database.exec("CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
        database.exec("CREATE TABLE counters (server_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID");
        database.exec("INSERT INTO facts (key, value) VALUES ('region', 'weur'), ('listHash', 'h')");
        database.exec("INSERT INTO counters (server_id, body) VALUES ('s', ?)", JSON.stringify(health("s")));
        for (let starts = 0; starts < 2; starts += 1) {
          const store = new ProberStore(database, nowMs);
          expect([store.region(), store.list(), store.health()]).toEqual([
            "weur",
            { hash: "h", targets: [] },
            [health("s")],
          ]);
        }
        expect(stepsOf(database)).toEqual([1]);
      }));

    test("[F29] a prober's list is read back as saved, and the health of a server goes with its target", () =>
      withEmpty((database) => {
        const store = new ProberStore(database, nowMs);
        expect([store.region(), store.list(), store.health()]).toEqual(["", { hash: "", targets: [] }, []]);
        for (const id of ["a", "b"]) store.saveHealth(health(id));
        store.saveHealth({ ...health("b"), counter: 1 });
        const list = { hash: "h", targets: [target("b")] };
        store.saveList(list);
        const restarted = new ProberStore(database, nowMs);
        expect([restarted.list(), restarted.health()]).toEqual([list, [{ ...health("b"), counter: 1 }]]);
      }));

    test("[M2] a transaction that throws changes nothing", () =>
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

    test("[M3] a world reads back as it was saved, however many rows it has", () =>
      withStore((store) => {
        const world = { ...emptyWorld, nodes: mapOf([node("n1"), node("n2")]), tasks: mapOf(manyTasks(260)) };
        store.saveWorld(emptyWorld, world);
        expect(store.world()).toEqual(world);
      }));

    test("[M3] only changed rows are written, and removed ones are deleted", () =>
      withStore((store, database) => {
        const before = { ...emptyWorld, tasks: mapOf(manyTasks(250)) };
        store.saveWorld(emptyWorld, before);
        database.exec("UPDATE tasks SET body = 'untouched' WHERE id = 'task-0000'");
        const [kept, ...others] = [...before.tasks.values()];
        const after = { ...emptyWorld, tasks: mapOf(kept ? [kept, { ...task("task-0001"), slot: 99 }] : []) };
        store.saveWorld(before, after);
        expect(others).toHaveLength(249);
        const rows = database.exec("SELECT id, body FROM tasks ORDER BY id");
        expect(rows.map(({ id }) => id)).toEqual(["task-0000", "task-0001"]);
        expect(rows[0]?.body).toBe("untouched");
        expect(rows[1]?.body).toContain('"slot":99');
      }));

    test("[M4] events are numbered without gaps and the newest thousand are kept", () =>
      withStore((store) => {
        expect(store.appendEvents([event("a"), event("b")], nowMs).map(({ seq }) => seq)).toEqual([1, 2]);
        for (let round = 0; round < 11; round += 1) {
          store.appendEvents(
            Array.from({ length: 100 }, (_, index) => event(`${round}/${index}`)),
            nowMs + round,
          );
        }
        const stored = store.events(0, 10_000);
        expect(stored).toHaveLength(maxEventsOfTrail);
        expect(stored.map(({ seq }) => seq)).toEqual(
          Array.from({ length: maxEventsOfTrail }, (_, index) => 103 + index),
        );
        expect(stored.at(-1)).toEqual({ ...event("10/99"), seq: 1102, atMs: nowMs + 10 });
      }));

    test("[M4] events are read from a given number on, oldest first, up to a limit", () =>
      withStore((store) => {
        store.appendEvents(["a", "b", "c", "d"].map(event), nowMs);
        expect(store.events(1, 2).map(({ why }) => why)).toEqual(["b", "c"]);
        expect(store.events(4, 2)).toEqual([]);
      }));

    test("[M5] the next deadline is the earliest one set, and a due deadline stays until it is set again", () =>
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

    test("[M6] the stored connection state and credential of a node are removed with it", () =>
      withStore((store) => {
        store.setCredentialHash("n1", "hash");
        store.setDisconnectedAt(["n1"], 5);
        store.setDisconnectedAt(["n2"], 6);
        store.setDisconnectedAt(["n2"], null);
        expect(store.disconnectedAt()).toEqual(new Map([["n1", 5]]));
        store.forgetNode("n1");
        expect(store.disconnectedAt()).toEqual(new Map());
        expect(store.credentialHash("n1")).toBeNull();
      }));
  });
}

/** The registry's schema with one more step. */
function extended(...statements: readonly string[]): Schema {
  const { owner, migrations } = registrySchema;
  return { owner, migrations: [...migrations, { number: 99, name: "later", readableFrom: 99, statements }] };
}

function withReadableFrom({ migrations }: Schema, readableFrom: number): Schema["migrations"] {
  return migrations.map((step) => (step.number === 99 ? { ...step, readableFrom } : step));
}

function stepsOf(database: SqlDatabase): readonly SqlValue[] {
  const rows = database.exec("SELECT number FROM migrations ORDER BY number");
  return rows.map(({ number }) => number ?? null);
}

function health(serverId: string): StoredRegionHealth {
  return { serverId, epoch: 1, counter: 4, fails: 0, last: null };
}

function target(serverId: string): ProbeTarget {
  const check = withCheckDefaults({}, { tls: false });
  return { serverId, name: `web/${serverId}`, epoch: 1, host: "127.0.0.1", port: 80, check, counter: 4 };
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
