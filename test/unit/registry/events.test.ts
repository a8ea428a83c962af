import { expect, test, vi } from "vitest";
import type { NewEvent } from "../../../src/domain/model/event.ts";
import { EventLimits } from "../../../src/registry/event-limits.ts";
import { registrySchema } from "../../../src/registry/schema.ts";
import { RegistryStore } from "../../../src/registry/store.ts";
import { migrate } from "../../../src/storage/migrations.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { TestMesh } from "./harness.ts";

test("[M70] a node that floods the log pushes out no event of an operator", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 0 } });
  for (let round = 0; round < 1_000; round += 1) {
    mesh.nowMs += 1_000;
    mesh.send(node.id, { type: "goodbye", reason: `round ${round}` });
    mesh.hello(node);
  }
  expect(mesh.registry.events(0, 10_000).filter(({ actor }) => actor === "operator")).toMatchObject([
    { action: "service.create", subject: { name: "my-web" } },
  ]);
  const newest = mesh.registry.newestEvents(10_000);
  expect(newest).toHaveLength(1_001);
  expect(newest).toEqual(mesh.registry.events(0, 10_000));
  const { seq } = newest.at(-1) ?? { seq: 0 };
  mesh.registry.removeService("my-web", "operator");
  expect(mesh.registry.events(seq, 1)).toMatchObject([{ seq: seq + 1, action: "service.remove" }]);
  expect(mesh.registry.newestEvents(2).map((event) => event.seq - seq)).toEqual([0, 1]);
});

test("[M70] a thousand events of operators are kept, and as many of the mesh", () => {
  const store = new RegistryStore(memoryDatabase());
  store.migrate(0);
  for (let round = 0; round < 1_200; round += 1) {
    store.appendEvents([event("operator", `o${round}`), event("registry", `r${round}`)], round);
  }
  const kept = store.events(0, 10_000);
  expect(kept.map(({ seq }) => seq)).toEqual(kept.map((_, index) => 401 + index));
  expect(kept).toHaveLength(2_000);
});

test("[M71] of one node's events two hundred are recorded at once, then one each second, with a count of the rest", () => {
  const limits = new EventLimits();
  const flood = Array.from({ length: 500 }, (_, index) => event("node node1", `${index}`));
  expect(limits.admit(flood, 1_000, () => "n1")).toEqual(flood.slice(0, 200));
  const others = [event("operator", "by hand"), event("node node2", "own"), event("registry", "plan")];
  expect(limits.admit(others, 1_000, () => "n2")).toEqual(others);
  expect(limits.admit([event("node node1", "too soon")], 1_999, () => "n1")).toEqual([]);
  const [gap, next] = limits.admit([event("node node1", "in time")], 2_000, () => "n1");
  expect(gap).toMatchObject({
    actor: "registry",
    action: "node.events",
    subject: { type: "node", name: "node1" },
    why: "301 events of this node were not recorded: more than one each 1 s",
  });
  expect(next?.why).toBe("in time");
  expect(limits.admit(flood, 900_000, () => "n1")).toHaveLength(200);
  expect(limits.admit([event("node node1", "clock set back")], 0, () => "n1")).toEqual([]);
  expect(limits.admit([event("node node1", "a second later")], 1_000, () => "n1")).toHaveLength(2);
});

test("[M82] the limit of events follows a node through other names, and ends with the node", () => {
  const mesh = new TestMesh();
  const quiet = mesh.node("quiet");
  const loud = mesh.node("loud", "127.0.0.9");
  const before = mesh.registry.events(0, 10_000).length;
  for (let round = 0; round < 500; round += 1) {
    mesh.send(loud.id, { type: "goodbye", reason: `round ${round}` });
    mesh.hello({ ...loud, name: `loud-${round}` });
  }
  expect(mesh.registry.events(0, 10_000).length - before).toBeLessThan(200);
  mesh.send(quiet.id, { type: "goodbye", reason: "of another node" });
  expect(mesh.registry.newestEvents(1)).toMatchObject([{ why: "of another node" }]);
  expect(mesh.registry.removeNode(loud.id, true, "operator").ok).toBe(true);
  const again = mesh.node("loud", "127.0.0.9");
  mesh.send(again.id, { type: "goodbye", reason: "of a node that joined" });
  expect(mesh.registry.newestEvents(1)).toMatchObject([{ why: "of a node that joined" }]);
});

test("[M82] tasks' reports count for the node that sends them", () => {
  const limits = new EventLimits();
  const flood = (name: string) => Array.from({ length: 150 }, () => event(`node ${name}`, ""));
  expect(limits.admit(flood("a"), 1_000, () => "n1")).toHaveLength(150);
  expect(limits.admit(flood("b"), 1_000, () => "n1")).toHaveLength(50);
  expect(limits.admit(flood("b"), 1_000, () => "n2")).toHaveLength(150);
});

test("[M72] the events of an earlier release are kept in their trails, and numbering continues", () => {
  const database = memoryDatabase();
  const migrations = registrySchema.migrations.filter(({ number }) => number < 6);
  migrate(database, { ...registrySchema, migrations }, 0);
  const before = [event("operator", "a"), event("node node1", "b"), event("anna@example.com", "c")];
  for (const [index, { ...body }] of before.entries()) {
    const row = [index + 7, 100 + index, JSON.stringify(body)] as const;
    database.exec("INSERT INTO events (seq, at_ms, body) VALUES (?, ?, ?)", ...row);
  }
  const store = new RegistryStore(database);
  store.migrate(0);
  expect(store.events(0, 10)).toEqual(
    before.map((body, index) => ({ ...body, seq: index + 7, atMs: 100 + index })),
  );
  expect(store.appendEvents([event("operator", "d")], 200)).toMatchObject([{ seq: 10 }]);
  const trails = database.exec("SELECT trail FROM event_log ORDER BY seq");
  expect(trails.map(({ trail }) => trail)).toEqual(["operator", "mesh", "operator", "operator"]);
});

function event(actor: string, why: string): NewEvent {
  return { actor, action: "task.failed", subject: { type: "task", id: "t", name: "my-web.1" }, why };
}

test("[M85] an event costs the same however many nodes have caused events", () => {
  const limits = new EventLimits();
  for (let index = 0; index < 5_000; index += 1)
    limits.admit([event(`node n${index}`, "")], 1_000, () => `n${index}`);
  const next = vi.spyOn(Object.getPrototypeOf(new Map().entries()), "next");
  try {
    const before = next.mock.calls.length;
    limits.admit([event("node n1", "one more")], 1_000, () => "n1");
    expect(next.mock.calls.length - before).toBeLessThanOrEqual(2);
  } finally {
    next.mockRestore();
  }
});

test("[M85] nodes that cause no more events are forgotten, and those with unreported gaps are not", () => {
  const limits = new EventLimits();
  limits.admit(
    Array.from({ length: 300 }, () => event("node noisy", "")),
    1_000,
    () => "noisy",
  );
  for (let index = 0; index < 1_000; index += 1)
    limits.admit([event(`node n${index}`, "")], 1_000, () => `n${index}`);
  expect(limits.size).toBe(1_001);
  for (let index = 0; index < 600; index += 1)
    limits.admit([event("node other", "")], 2_000_000 + 1_000 * index, () => "other");
  expect(limits.size).toBe(2);
  expect(limits.admit([event("node noisy", "again")], 3_000_000, () => "noisy")).toMatchObject([
    { why: expect.stringContaining("100 events") },
    { why: "again" },
  ]);
});
