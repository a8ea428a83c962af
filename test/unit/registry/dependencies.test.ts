import { expect, test } from "vitest";
import type { DependencyKind } from "../../../src/domain/model/dependency.ts";
import { Registry } from "../../../src/registry/registry.ts";
import { RegistryStore } from "../../../src/registry/store.ts";
import { input, refusal, TestMesh } from "./harness.ts";

const data = Buffer.from("my password").toString("base64");

function stored(mesh: TestMesh, kind: DependencyKind = "secret", name = "password"): string {
  const made = mesh.registry.createDependency({ kind, name, labels: {}, data }, "operator");
  if (!made.ok) throw new Error(made.problem.message);
  return made.value.id;
}

const using = (name: string, id: string) => {
  const { run } = input(name).spec;
  return input(name, { run: { ...run, dependencies: [{ kind: "secret", id, name: "password" }] } });
};

test("[M100] the data of secrets and configs is stored sealed, and apart from the world", () => {
  const mesh = new TestMesh();
  const id = stored(mesh);
  stored(mesh, "config");
  const tables = mesh.database.exec("SELECT name FROM sqlite_master WHERE type = 'table'");
  const rows = tables.flatMap(({ name }) => mesh.database.exec(`SELECT * FROM ${name}`));
  expect(rows.length).toBeGreaterThan(4);
  expect(JSON.stringify(rows)).not.toMatch(/my password|bXkgcGFzc3dvcmQ/);
  mesh.restart();
  expect(mesh.registry.dependency("config", "password")).toMatchObject({ ok: true, value: { data } });
  expect(mesh.registry.dependency("secret", id)).not.toMatchObject({ value: { data } });
});

test("[M100] under another operator token the data does not open, and the error says what to do", () => {
  const mesh = new TestMesh();
  stored(mesh, "config");
  const deps = {
    clock: () => mesh.nowMs,
    newId: () => "x".repeat(25),
    newSecret: (length: number) => "x".repeat(length),
    sealSecret: "another token",
    addresses: { mode: "local", nodeAddresses: [], ownSockets: [], hasTunnel: false, hasVpc: false },
    meshName: "test",
    regions: ["weur"],
  } as const;
  const registry = new Registry(new RegistryStore(mesh.database), deps);
  registry.start(new Set());
  expect(refusal(registry.dependency("config", "password"))).toBe(
    "config/invalid: config password was stored under another operator token and cannot be opened: remove it, and create it again",
  );
  expect(registry.removeDependency("config", "password", "operator").ok).toBe(true);
});

test("[M101] a node gets data while it has a live task that reads it, with its own credential only", () => {
  const mesh = new TestMesh();
  const [one, other] = [mesh.node("node1"), mesh.node("node2")];
  const id = stored(mesh);
  const ask = (node: typeof one, credential = node.credential) =>
    mesh.registry.taskDependency(node.id, credential, id);
  expect(refusal(ask(one))).toMatch(/^dependency\/forbidden/);
  expect(mesh.registry.createService(using("web", id), "operator").ok).toBe(true);
  const user = mesh.tasks("web")[0]?.nodeId === one.id ? one : other;
  const stranger = user === one ? other : one;
  expect(ask(user)).toEqual({ ok: true, value: data });
  expect(refusal(ask(stranger))).toMatch(/^dependency\/forbidden/);
  expect(refusal(ask(user, stranger.credential))).toMatch(/^dependency\/unauthorized/);
  mesh.registry.removeService("web", "operator");
  mesh.work();
  expect(refusal(ask(user))).toMatch(/^dependency\/forbidden/);
});

test("[M102] a rollback to a removed secret is refused", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const id = stored(mesh);
  mesh.registry.createService(using("web", id), "operator");
  mesh.registry.updateService("web", 1, input("web"), "operator");
  expect(mesh.registry.removeDependency("secret", id, "operator").ok).toBe(true);
  const rollback = mesh.registry.updateService("web", 2, "rollback", "operator");
  expect(refusal(rollback)).toBe("service/invalid: secret not found: password");
});
