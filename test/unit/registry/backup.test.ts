import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import { closeCodes } from "../../../src/protocol/agent.ts";
import { openPart, readPart, sealPart } from "../../../src/protocol/backup.ts";
import { newestStep } from "../../../src/registry/backup-store.ts";
import { backupTables, presentMeta, presentTables } from "../../../src/registry/backup-tables.ts";
import { commitOf, restoreInto, sendBackup, type TakenBackup, takeBackup } from "../../support/backup.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { input, refusal, TestMesh, type TestNode } from "./harness.ts";

const claimOf = (nodeId: string, credential: string, joinToken: string | null = null) => ({
  nodeId,
  credential,
  joinToken,
});

const secretData = Buffer.from("my password").toString("base64");

/** A mesh with something of everything, two tasks of which run. */
function filled(): { readonly mesh: TestMesh; readonly nodes: readonly TestNode[] } {
  const mesh = new TestMesh();
  const nodes = [mesh.node("node1"), mesh.node("node2")];
  unwrap(
    mesh.registry.createDependency(
      { kind: "secret", name: "password", labels: {}, data: secretData },
      "operator",
    ),
  );
  unwrap(mesh.registry.createNetwork({ ...networkSpec, name: "shop" }, "operator"));
  const web = input("web", { mode: { kind: "replicated", replicas: 2 } });
  unwrap(mesh.registry.createService({ ...web, registryAuth: "docker-credentials" }, "operator"));
  mesh.work();
  return { mesh, nodes };
}

const networkSpec = { labels: {}, options: {}, attachable: false, subnet: null, gateway: null };

/** A new mesh with another token, and the clock of the other one. */
function emptyMesh(nowMs: number): TestMesh {
  const mesh = new TestMesh();
  mesh.sealSecret = "another operator token";
  mesh.nowMs = nowMs;
  mesh.restart();
  return mesh;
}

/** The row of a table, by its columns. */
function row(mesh: TestMesh, sql: string) {
  return mesh.database.exec(sql)[0] ?? {};
}

/** All rows but those about the present. */
function rows(mesh: TestMesh): string {
  const tables = backupTables.map(({ name }) => mesh.database.exec(`SELECT * FROM ${name} ORDER BY 1, 2`));
  return JSON.stringify(tables, (_, value) =>
    Array.isArray(value) ? value.filter(({ key }) => !presentMeta.has(String(key))) : value,
  );
}

describe("a backup", () => {
  test("[M240] is one read of all rows: what changes while its parts are fetched is not in it", () => {
    const { mesh } = filled();
    const before = takeBackup(mesh);
    mesh.nowMs += 60_000;
    const started = unwrap(mesh.registry.startBackup("operator"));
    mesh.service("later");
    mesh.registry.removeService("web", "operator");
    const services = [];
    for (let number = 0; number < started.parts; number += 1) {
      const text = unwrap(mesh.registry.backupPart(started.id, number));
      const bytes = openPart(text, mesh.sealSecret, { transfer: started.id, number });
      const part = JSON.parse(gunzipSync(bytes ?? "").toString());
      if (part.table === "services") services.push(...part.rows.map(([, name]: string[]) => name));
    }
    expect(services).toEqual(["web"]);
    expect(before.started.mesh).toEqual(started.mesh);
  });

  test("[M241] has every table of the registry, but for those about the present", () => {
    const { mesh } = filled();
    mesh.registry.openSession("session", mesh.nowMs + 60_000, "operator");
    const tables = mesh.database.exec("SELECT name FROM sqlite_master WHERE type = 'table'");
    const known = [...backupTables.map(({ name }) => name), ...presentTables];
    expect(tables.map(({ name }) => name).sort()).toEqual([...known, "migrations", "transfer_parts"].sort());
    const keys = backupTables.map(({ name, key }) => {
      const info = mesh.database.exec(
        `SELECT name FROM pragma_table_info('${name}') WHERE pk > 0 ORDER BY pk`,
      );
      return [key, info.map((column) => column.name)];
    });
    for (const [key, primaryKey] of keys) expect(key).toEqual(primaryKey);
    const { parts } = takeBackup(mesh);
    const meta = parts
      .filter(({ table }) => table === "meta")
      .flatMap((part) => part.rows.map(([key]) => key));
    expect(meta).toEqual(
      expect.arrayContaining([
        "cookieKey",
        "gatewayKeys",
        "joinDigest",
        "managerSecret",
        "meshId",
        "workerSecret",
      ]),
    );
    expect(meta.filter((key) => presentMeta.has(String(key)))).toEqual([]);
    expect(new Set(parts.map(({ table }) => table))).toContain("credentials");
  });

  test("[M242] leaves the registry sealed: nothing in a part can be read without the token, nor moved", () => {
    const { mesh } = filled();
    const started = unwrap(mesh.registry.startBackup("operator"));
    const texts = Array.from({ length: started.parts }, (_, n) =>
      unwrap(mesh.registry.backupPart(started.id, n)),
    );
    const bytes = Buffer.concat(texts.map((text) => Buffer.from(text, "base64url")));
    expect(bytes.includes(Buffer.from([0x1f, 0x8b, 0x08]))).toBe(false);
    const [first = ""] = texts;
    expect(openPart(first, "another token", { transfer: started.id, number: 0 })).toBeNull();
    expect(openPart(first, mesh.sealSecret, { transfer: started.id, number: 1 })).toBeNull();
    expect(openPart(first, mesh.sealSecret, { transfer: "another", number: 0 })).toBeNull();
    expect(openPart("", mesh.sealSecret, { transfer: started.id, number: 0 })).toBeNull();
    expect(openPart(first, mesh.sealSecret, { transfer: started.id, number: 0 })).not.toBeNull();
    // In the database they are sealed as well.
    const stored = JSON.stringify(mesh.database.exec("SELECT body FROM transfer_parts"));
    expect(stored).not.toContain(secretData);
  });

  test("[M254] is neither sealed nor opened under an empty token", () => {
    const place = { transfer: "transfer", number: 0 };
    expect(() => sealPart(Buffer.from("x"), "", place, "random")).toThrow(/no token was given/);
    const sealed = sealPart(Buffer.from("x"), "token", place, "random");
    for (const text of [sealed, ""]) expect(() => openPart(text, "", place)).toThrow(/no token was given/);
    const { mesh } = filled();
    mesh.sealSecret = "";
    mesh.restart();
    expect(() => mesh.registry.startBackup("operator")).toThrow(/no token was given/);
    expect(mesh.database.exec("SELECT body FROM transfer_parts")).toEqual([]);
  });

  test("[M257] is read by one reader, which refuses what is no part, or has too many bytes", () => {
    const part = { table: "nodes", columns: ["id"], rows: [["a"], [1], [null]] };
    const packed = (value: unknown) => gzipSync(typeof value === "string" ? value : JSON.stringify(value));
    expect(readPart(packed(part))).toEqual(part);
    for (const other of [
      Buffer.from(JSON.stringify(part)),
      packed(part).subarray(0, -9),
      packed("{"),
      packed(null),
      packed({ ...part, table: "nodes; DROP TABLE nodes" }),
      packed({ ...part, columns: [] }),
      packed({ ...part, rows: [[true]] }),
      packed({ ...part, more: "x".repeat(16 * 1_048_576) }),
    ])
      expect(readPart(other)).toBeNull();
  });

  test("[M243] is an event of the operator, and begins at most every 10 s", () => {
    const { mesh } = filled();
    unwrap(mesh.registry.startBackup("operator"));
    expect(mesh.events("mesh.backup")).toEqual(["test: a copy of the registry with its secrets was taken"]);
    mesh.nowMs += 4_000;
    expect(refusal(mesh.registry.startBackup("operator"))).toBe(
      "backup/conflict: a backup of this mesh began 4 s ago: try again in 6 s",
    );
    mesh.nowMs += 6_000;
    expect(mesh.registry.startBackup("operator").ok).toBe(true);
  });

  test("[M243] begins at most every 10 s also if a restore begins, ends or is committed meanwhile", () => {
    const { mesh } = filled();
    const backup = takeBackup(mesh);
    const refused = () => refusal(mesh.registry.startBackup("operator"));
    const { id } = unwrap(
      mesh.registry.startRestore({ step: newestStep, parts: 1, replace: true }, "operator"),
    );
    expect(refused()).toMatch(/^backup\/conflict: a backup of this mesh began 0 s ago/);
    mesh.registry.endTransfer(id);
    expect(refused()).toMatch(/^backup\/conflict/);
    restoreInto(mesh, backup, true);
    mesh.restart();
    expect(refused()).toMatch(/^backup\/conflict/);
    // The time of a backup is about its own mesh.
    const target = emptyMesh(mesh.nowMs);
    restoreInto(target, backup);
    expect(target.registry.startBackup("operator").ok).toBe(true);
    mesh.nowMs += 10_000;
    expect(mesh.registry.startBackup("operator").ok).toBe(true);
    // A clock that was set back does not stop backups for long.
    mesh.nowMs -= 3_600_000;
    expect(mesh.registry.startBackup("operator").ok).toBe(true);
  });

  test("[M244] that is not fetched is forgotten after 15 minutes, and by the next one", () => {
    const { mesh } = filled();
    const first = unwrap(mesh.registry.startBackup("operator"));
    mesh.nowMs += 20_000;
    const second = unwrap(mesh.registry.startBackup("operator"));
    expect(refusal(mesh.registry.backupPart(first.id, 0))).toMatch(
      /^backup\/not-found: this mesh has no such backup any more/,
    );
    mesh.registry.endTransfer(first.id);
    expect(mesh.registry.backupPart(second.id, 0).ok).toBe(true);
    mesh.pass(16 * 60_000);
    expect(row(mesh, "SELECT count(*) AS parts FROM transfer_parts")).toEqual({ parts: 0 });
    expect(refusal(mesh.registry.backupPart(second.id, 0))).toMatch(/^backup\/not-found/);
  });
});

describe("a restore", () => {
  test("[M245] is for an empty mesh, and else names what the mesh has", () => {
    const { mesh } = filled();
    const backup = takeBackup(mesh);
    expect(
      refusal(mesh.registry.startRestore({ step: newestStep, parts: 1, replace: false }, "operator")),
    ).toBe(
      "restore/conflict: the mesh test is not empty, it has 1 service (web), 2 nodes (node1, node2), 1 network (shop) and 1 secret (password): restore into a new mesh, or replace all of this one with --replace",
    );
    const target = emptyMesh(mesh.nowMs);
    const id = sendBackup(target, backup);
    target.service("meanwhile");
    const refused = target.registry.commitRestore(id, commitOf(backup), "operator");
    expect(refusal(refused)).toMatch(
      /^restore\/conflict: the mesh test is not empty, it has 1 service \(meanwhile\)/,
    );
    expect(restoreInto(target, backup, true)).toEqual({
      services: ["web"],
      nodes: ["node1", "node2"],
      servers: [],
      networks: ["shop"],
      secrets: ["password"],
      configs: [],
    });
  });

  /** Sends a backup, and commits it as the operator was shown the mesh before `change`. */
  function replaceAfter(change: (mesh: TestMesh, nodes: readonly TestNode[]) => void): {
    readonly outcome: string;
    readonly isUnchanged: boolean;
  } {
    const { mesh, nodes } = filled();
    const backup = takeBackup(mesh);
    mesh.nowMs += 10_000;
    const id = sendBackup(mesh, backup, true);
    const seq = mesh.registry.newestEvents(1)[0]?.seq ?? 0;
    change(mesh, nodes);
    const before = rows(mesh);
    const result = mesh.registry.commitRestore(id, { ...commitOf(backup, true), seq }, "operator");
    return { outcome: result.ok ? "restored" : refusal(result), isUnchanged: rows(mesh) === before };
  }

  const webOf = (mesh: TestMesh) => mesh.registry.services()[0]?.id ?? "";

  test.each<[string, (mesh: TestMesh, nodes: readonly TestNode[]) => unknown]>([
    ["service.create late by operator", (mesh) => mesh.service("late")],
    ["service.remove web by operator", (mesh) => mesh.registry.removeService(webOf(mesh), "operator")],
    ["node.join node3 by node node3", (mesh) => mesh.node("node3")],
    [
      "network.create late by operator",
      (mesh) => mesh.registry.createNetwork({ ...networkSpec, name: "late" }, "operator"),
    ],
    [
      "config.create late by operator",
      (mesh) =>
        mesh.registry.createDependency(
          { kind: "config", name: "late", labels: {}, data: secretData },
          "operator",
        ),
    ],
    [
      "mesh.rotate-token test by operator",
      (mesh) => mesh.registry.rotateJoinTokens({ worker: true, manager: false }, "operator"),
    ],
  ])("[M258] does not replace a mesh that has changed since it was shown: %s", (change, make) => {
    const { outcome, isUnchanged } = replaceAfter(make);
    expect(outcome).toBe(
      `restore/conflict: the mesh test has changed since it was shown what the restore deletes (${change}): restore again, and confirm what it has now`,
    );
    expect(isUnchanged).toBe(true);
  });

  test("[M258] names five changes and the number of others", () => {
    const { outcome } = replaceAfter((mesh) => {
      for (let number = 0; number < 8; number += 1) mesh.service(`late${number}`);
    });
    expect(outcome).toContain("service.create late4 by operator and 3 more): restore again");
  });

  test("[M259] replaces a mesh in which only tasks and nodes have changed their state since", () => {
    const { outcome } = replaceAfter((busy, [node]) => {
      if (node === undefined) throw new Error("the mesh has nodes");
      busy.drop(node);
      busy.pass(60_000);
      busy.work([node.id]);
      expect(busy.registry.newestEvents(50).map(({ action }) => action)).toContain("node.down");
    });
    expect(outcome).toBe("restored");
  });

  test.each<[string, (backup: TakenBackup) => TakenBackup, RegExp]>([
    [
      "a table of another program",
      withPart({ table: "spies", columns: ["id"], rows: [["a"]] }),
      /part \d+ of the backup cannot be read/,
    ],
    [
      "a column that does not exist",
      withPart({ table: "nodes", columns: ["id", "nickname"], rows: [["a", "b"]] }),
      /^the rows of the backup cannot be used: .*nickname/,
    ],
    [
      "a body that is not JSON",
      withPart({
        table: "tasks",
        columns: ["id", "service_id", "node_id", "body"],
        rows: [["a", "b", null, "{"]],
      }),
      /^the rows of the backup cannot be used: .*JSON/,
    ],
    [
      "no mesh",
      (backup) => ({ ...backup, parts: backup.parts.filter(({ table }) => table !== "meta") }),
      /the backup has no mesh/,
    ],
  ])("[M246] that fails changes nothing: %s", (_, change, reason) => {
    const { mesh } = filled();
    const backup = takeBackup(mesh);
    const before = rows(mesh);
    mesh.nowMs += 10_000;
    const id = sendBackup(mesh, change(backup), true);
    const refused = mesh.registry.commitRestore(id, commitOf(backup, true), "operator");
    expect(refused.ok ? "" : refused.problem.message).toMatch(reason);
    expect(rows(mesh)).toBe(before);
    expect(mesh.running("web")).toHaveLength(2);
    mesh.service("more");
    expect(mesh.registry.services()).toHaveLength(2);
  });

  test.each([
    ...[2 ** 53 - 1, 2 ** 52 - 1, 2 ** 63, 1e300, "abc", 1.5, -1].map((value) => ["seq", value] as const),
    ["place", 2 ** 53 - 1] as const,
    ["at_ms", 2 ** 53] as const,
  ])("[M255] with an event whose %s is %s is refused", (column, value) => {
    const { mesh } = filled();
    const backup = withValue(takeBackup(mesh), "event_log", column, value);
    expectOutOfRange(emptyMesh(mesh.nowMs), backup, "a number or time of an event");
  });

  const versions = ["9007199254740993", "4503599627370495", "1e300", "abc", "-1", "1.5", "", "Infinity"];
  test.each(versions)("[M255] with the version %j of its routing table is refused", (value) => {
    const { mesh } = filled();
    const backup = withValue(takeBackup(mesh), "meta", "value", value);
    expectOutOfRange(emptyMesh(mesh.nowMs), backup, "the version of the routing table");
  });

  test.each([
    ["UPDATE event_log SET seq = 9007199254740991 WHERE seq = (SELECT max(seq) FROM event_log)"],
    ["UPDATE event_log SET seq = 9007199255740992 WHERE seq = (SELECT max(seq) FROM event_log)"],
    ["UPDATE event_log SET seq = 'abc'"],
    ["UPDATE meta SET value = '9007199254740993' WHERE key = 'tableVersion'"],
    ["UPDATE meta SET value = 'abc' WHERE key = 'tableVersion'"],
  ])("[M256] mends a mesh that has such numbers: %s", (sql) => {
    const { mesh } = filled();
    const backup = takeBackup(mesh);
    const target = emptyMesh(mesh.nowMs);
    target.node("broken");
    target.database.exec(sql);
    target.restart();
    restoreInto(target, backup, true);
    const [event] = target.registry.newestEvents(1);
    expect(event?.seq).toBeGreaterThan(1_000_000);
    expect(event?.seq).toBeLessThan(2_000_000);
    const { tableVersion } = target.registry.info();
    expect(tableVersion).toBeGreaterThan(1_000_000);
    target.service("more");
    target.work();
    expect(target.registry.info().tableVersion).toBeGreaterThan(tableVersion);
  });

  test("[M246] whose parts did not all arrive, or were changed, is refused", () => {
    const { mesh } = filled();
    const backup = takeBackup(mesh);
    const target = emptyMesh(mesh.nowMs);
    const { id } = unwrap(
      target.registry.startRestore({ step: newestStep, parts: 2, replace: false }, "operator"),
    );
    expect(refusal(target.registry.commitRestore(id, commitOf(backup), "operator"))).toBe(
      "restore/invalid: 2 of 2 parts of the backup have not arrived",
    );
    const part = sealPart(Buffer.from("x"), target.sealSecret, { transfer: id, number: 0 }, "random");
    expect(refusal(target.registry.putRestorePart(id, 1, part))).toMatch(/^restore\/invalid: part 1 /);
    expect(refusal(target.registry.putRestorePart(id, 2, part))).toMatch(/^restore\/invalid: part 2 /);
    expect(target.registry.putRestorePart(id, 0, part).ok).toBe(true);
    expect(refusal(target.registry.putRestorePart("other", 0, part))).toMatch(/^restore\/not-found: /);
  });

  test("[M247] goes on above the versions and events of both meshes, and its tasks are the same", () => {
    const { mesh, nodes } = filled();
    const backup = takeBackup(mesh);
    // The mesh goes on after the backup, as fast as it can.
    mesh.nowMs += 600_000;
    for (let n = 0; n < 50; n += 1) mesh.service(`more${n}`);
    const old = mesh.registry.info();
    const [lastEvent] = mesh.registry.newestEvents(1);
    const target = emptyMesh(mesh.nowMs);
    restoreInto(target, backup);
    const effects = target.registry.takeEffects();
    expect(effects.tableVersion).toBeGreaterThan(old.tableVersion + 600_000);
    expect(target.registry.table(old.tableVersion).text).toContain("web");
    expect(target.registry.newestEvents(1)[0]?.seq).toBeGreaterThan(lastEvent?.seq ?? 0);
    expect(target.events("mesh.restore")).toEqual([
      `test: from the backup of test of ${new Date(backup.started.atMs).toISOString()} (waggle 0.1.0)`,
    ]);
    expect(target.registry.joinTokens()).toEqual(mesh.registry.joinTokens());
    expect(target.registry.routerKeys()).toEqual(mesh.registry.routerKeys());
    const tasks = mesh.tasks("web");
    expect(target.tasks("web")).toEqual(tasks);
    for (const node of nodes) {
      expect(target.registry.refuseNode(claimOf(node.id, node.credential))).toBeNull();
      target.nodes.set(node.id, node);
      const own = tasks.filter(({ nodeId }) => nodeId === node.id);
      const { assignments } = target.hello(
        node,
        own.map((task) => target.reportOf(task)),
      );
      const assigned = assignments.findLast(({ nodeId }) => nodeId === node.id)?.body.tasks;
      expect(assigned?.map(({ id, desired }) => [id, desired])).toEqual(own.map(({ id }) => [id, "running"]));
    }
    target.pass(3_600_000);
    expect(
      target
        .running("web")
        .map(({ id }) => id)
        .sort(),
    ).toEqual(tasks.map(({ id }) => id).sort());
  });

  test("[M247] the mesh keeps its own id and name, and the sessions of its dashboard", () => {
    const { mesh } = filled();
    const target = emptyMesh(mesh.nowMs);
    target.registry.openSession("session", target.nowMs + 60_000, "operator");
    const { id, name } = target.registry.info();
    const backup = takeBackup(mesh);
    restoreInto(target, backup);
    expect(target.registry.info()).toMatchObject({ id, name });
    expect(target.registry.isSessionOpen("session")).toBe(true);
    // Also if a backup says otherwise.
    const session = { table: "meta", columns: ["key", "value"], rows: [["sessions", "[]"]] };
    mesh.nowMs += 10_000;
    restoreInto(target, withPart(session)(takeBackup(mesh)), true);
    expect(target.registry.isSessionOpen("session")).toBe(true);
    const stranger = emptyMesh(mesh.nowMs);
    const planted = { ...session, rows: [["sessions", JSON.stringify([["x", 9e15, "operator"]])]] };
    restoreInto(stranger, withPart(planted)(backup));
    expect(stranger.registry.isSessionOpen("x")).toBe(false);
    target.restart();
    expect(target.registry.info()).toMatchObject({ id, name, services: 1 });
  });

  test("[M248] waits for its nodes: none is down before their time is over, also after a restart", () => {
    const { mesh, nodes } = filled();
    const [first, second] = nodes;
    if (first === undefined || second === undefined) throw new Error("no nodes");
    const backup = takeBackup(mesh);
    const target = emptyMesh(mesh.nowMs);
    restoreInto(target, backup);
    target.pass(300_000);
    target.restart();
    target.pass(200_000);
    const states = () => target.registry.nodes().map(({ hostname, state }) => `${hostname} ${state}`);
    expect(states()).toEqual(["node1 ready", "node2 ready"]);
    // A node that has returned is watched as before.
    target.nodes.set(first.id, first);
    target.hello(
      first,
      target
        .tasks("web")
        .filter(({ nodeId }) => nodeId === first.id)
        .map((task) => target.reportOf(task)),
    );
    target.drop(first);
    target.pass(60_000, []);
    expect(states()).toEqual(["node1 down", "node2 ready"]);
    target.pass(120_000, []);
    expect(states()).toEqual(["node1 down", "node2 down"]);
  });

  test("[M249] seals secrets and credentials under its own token, and keeps what nothing opens", () => {
    const { mesh, nodes } = filled();
    unwrap(
      mesh.registry.createDependency(
        { kind: "config", name: "plain", labels: {}, data: secretData },
        "operator",
      ),
    );
    mesh.sealSecret = "a second operator token";
    mesh.restart(nodes.map(({ id }) => id));
    unwrap(
      mesh.registry.createDependency(
        { kind: "config", name: "newer", labels: {}, data: secretData },
        "operator",
      ),
    );
    const target = emptyMesh(mesh.nowMs);
    restoreInto(target, takeBackup(mesh));
    expect(target.registry.dependency("config", "newer")).toMatchObject({
      ok: true,
      value: { data: secretData },
    });
    expect(refusal(target.registry.dependency("config", "plain"))).toMatch(
      /stored under another operator token/,
    );
    const own = filled();
    const next = emptyMesh(own.mesh.nowMs);
    restoreInto(next, takeBackup(own.mesh));
    const body = JSON.parse(String(row(next, "SELECT body FROM services").body));
    expect(Object.keys(body)).toContain("sealedAuth");
    expect(Object.keys(body)).not.toContain("openedAuth");
    own.mesh.nowMs += 60_000;
    restoreInto(own.mesh, takeBackup(next), true);
    expect(own.mesh.registry.dependency("secret", "password").ok).toBe(true);
    const using = {
      kind: "secret" as const,
      id: unwrap(own.mesh.registry.dependency("secret", "password")).id,
      name: "password",
    };
    const { run } = input("reader").spec;
    unwrap(
      own.mesh.registry.createService(
        input("reader", { run: { ...run, dependencies: [using] } }),
        "operator",
      ),
    );
    const nodeId = own.mesh.tasks("reader")[0]?.nodeId ?? "";
    const { credential = "" } = own.nodes.find(({ id }) => id === nodeId) ?? {};
    expect(own.mesh.registry.taskDependency(nodeId, credential, using.id)).toEqual({
      ok: true,
      value: secretData,
    });
  });

  test("[M250] of a later step is refused, with what would work", () => {
    const target = emptyMesh(0);
    expect(
      refusal(target.registry.startRestore({ step: newestStep + 1, parts: 1, replace: false }, "operator")),
    ).toBe(
      `restore/invalid: the backup has tables of step ${newestStep + 1}, and this mesh's release knows those up to step ${newestStep}: deploy the release of the backup, or a later one, and restore then`,
    );
  });

  test.each([6, 8])("[M250] with tables of step %i gets the later steps", (step) => {
    const script = readFileSync(new URL(`../../fixtures/registry/step-${step}.sql`, import.meta.url), "utf8");
    const database = memoryDatabase(script);
    const names = backupTables.map(({ name }) => name);
    const parts = names.flatMap((table) => {
      const exists = database.exec("SELECT name FROM sqlite_master WHERE name = ?", table).length > 0;
      const all = exists ? database.exec(`SELECT * FROM ${table}`) : [];
      const columns = Object.keys(all[0] ?? {});
      const sealed = table === "dependency_data";
      return all.length === 0 || sealed
        ? []
        : [{ table, columns, rows: all.map((one) => Object.values(one)) }];
    });
    const atMs = Number(database.exec("SELECT max(at_ms) AS at_ms FROM event_log")[0]?.at_ms);
    const started = { id: "x", parts: parts.length, step, mesh: { id: "x", name: "old" }, atMs };
    const target = emptyMesh(atMs + 1_000);
    expect(restoreInto(target, { started, parts }).services).toEqual(["everywhere", "stuck", "web"]);
    expect(target.registry.nodes()).toHaveLength(3);
    target.restart();
    expect(target.registry.networks().map(({ name }) => name)).toContain("ingress");
  });

  test("[M251] replaces the agents of another mesh, and has those of its own dial again", () => {
    const { mesh, nodes } = filled();
    const backup = takeBackup(mesh);
    const added = mesh.node("node3");
    mesh.registry.takeEffects();
    restoreInto(mesh, backup, true);
    const { closes } = mesh.registry.takeEffects();
    expect(closes.map(({ nodeId, code }) => [nodeId, code])).toEqual([
      ...nodes.map(({ id }) => [id, closeCodes.goingAway]),
      [added.id, closeCodes.notAMember],
    ]);
    expect(mesh.registry.refuseNode(claimOf(added.id, added.credential))).toMatchObject({ status: 401 });
  });

  test("[M252] a mesh that never had a node asks agents and machines to try again", () => {
    const target = emptyMesh(0);
    const id = "a".repeat(25);
    expect(target.registry.refuseNode(claimOf(id, "credential"))).toMatchObject({ status: 503 });
    expect(target.registry.routerAccess(id, "credential")).toBe("new");
    const { worker } = target.registry.joinTokens();
    expect(target.registry.refuseNode(claimOf(id, "credential", `${worker}x`))).toMatchObject({
      status: 503,
    });
    expect(target.registry.refuseNode(claimOf(id, "credential", worker))).toMatchObject({ status: 401 });
    expect(refusal(target.registry.taskDependency(id, "credential", "x"))).toMatch(
      /^dependency\/unavailable: /,
    );
    const node = target.node("node1");
    unwrap(target.registry.removeNode(node.id, true, "operator"));
    target.restart();
    expect(target.registry.refuseNode(claimOf(id, "credential"))).toMatchObject({ status: 401 });
    expect(target.registry.routerAccess(id, "credential")).toBe("refused");
  });

  test("[M253] that was committed may be committed again, and gives the same", () => {
    const { mesh } = filled();
    const backup = takeBackup(mesh);
    const target = emptyMesh(mesh.nowMs);
    const id = sendBackup(target, backup);
    const first = target.registry.commitRestore(id, commitOf(backup), "operator");
    const events = target.registry.newestEvents(100).length;
    expect(target.registry.commitRestore(id, commitOf(backup), "operator")).toEqual(first);
    expect(target.registry.newestEvents(100)).toHaveLength(events);
  });
});

/** Changes a value of the last row; in `meta` of the version of the routing table. */
function withValue(backup: TakenBackup, table: string, column: string, value: string | number): TakenBackup {
  const parts = backup.parts.map((part) => {
    if (part.table !== table) return part;
    const at =
      table === "meta" ? part.rows.findIndex(([key]) => key === "tableVersion") : part.rows.length - 1;
    const changed = part.rows[at]?.with(part.columns.indexOf(column), value) ?? [];
    return { ...part, rows: part.rows.with(at, changed) };
  });
  return { ...backup, parts };
}

function expectOutOfRange(target: TestMesh, backup: TakenBackup, what: string): void {
  const before = rows(target);
  const id = sendBackup(target, backup);
  expect(refusal(target.registry.commitRestore(id, commitOf(backup), "operator"))).toBe(
    `restore/invalid: the backup cannot be used: ${what} is not a whole number that leaves room below 4503599627370496; restore an earlier backup`,
  );
  expect(rows(target)).toBe(before);
  target.node("node1");
}

/** Adds a part to a backup. */
function withPart(part: TakenBackup["parts"][number]): (backup: TakenBackup) => TakenBackup {
  return (backup) => ({ ...backup, parts: [...backup.parts, part] });
}
