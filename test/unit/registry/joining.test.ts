import { expect, test } from "vitest";
import { isPrintable } from "../../../src/domain/model/printable.ts";
import { readAgentMessage } from "../../../src/registry/agent-message.ts";
import { takeOne } from "../../../src/registry/allowance.ts";
import { machine, refusal, TestMesh, type TestNode } from "./harness.ts";

const hourMs = 60 * 60_000;
const weekMs = 7 * 24 * hourMs;

function nodeIds({ registry }: TestMesh): readonly string[] {
  return registry.nodes().map(({ id }) => id);
}

/** A machine joins, says hello and ends. */
function visit(mesh: TestMesh, name: string): TestNode {
  const node = mesh.node(name);
  mesh.send(node.id, { type: "goodbye", reason: "" });
  mesh.sockets.delete(node.id);
  return node;
}

test("[M66] a node that is down for a week is forgotten: its name and credential go, its tasks' history stays", () => {
  const mesh = new TestMesh();
  const other = mesh.node("node2");
  const node = mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const [failed] = mesh.tasks().filter(({ nodeId }) => nodeId === node.id);
  if (failed === undefined) throw new Error("no task on node1");
  mesh.report(failed, { state: "failed", err: "task: non-zero exit (1)", endpoints: [], health: null });
  mesh.send(node.id, { type: "goodbye", reason: "" });
  mesh.work([node.id]);
  mesh.nowMs += weekMs - 1_000;
  mesh.ring([other]);
  expect(nodeIds(mesh)).toContain(node.id);
  mesh.pass(1_000, [other]);
  expect(nodeIds(mesh)).toEqual([other.id]);
  expect(mesh.registry.agents.authenticateNode(node.id, node.credential)).toBe(false);
  expect(mesh.events("node.remove")).toEqual([expect.stringMatching(/^node1: down since 2027-/)]);
  expect(mesh.tasks("my-web").filter(({ nodeId }) => nodeId === node.id)).not.toEqual([]);
  expect(mesh.running("my-web")).toHaveLength(2);
  expect(mesh.join("node1", "127.0.0.2").id).not.toBe(node.id);
});

test("[M66] a node whose agent was never accepted is forgotten after an hour", () => {
  const mesh = new TestMesh();
  const node = mesh.join("node1", "127.0.0.2");
  mesh.pass(hourMs, []);
  expect(nodeIds(mesh)).toEqual([node.id]);
  mesh.pass(15_000, []);
  expect(nodeIds(mesh)).toEqual([]);
});

test("[M66] of nodes that are down a hundred are kept, those that an operator changed first", () => {
  const mesh = new TestMesh();
  const own = visit(mesh, "own");
  const change = { availability: "active", role: "worker", labels: { zone: "a" } } as const;
  expect(mesh.registry.updateNode("own", 1, change, "operator")).toMatchObject({ ok: true });
  const visitors = Array.from({ length: 120 }, (_, index) => {
    mesh.nowMs += 1_000;
    return visit(mesh, `n${index}`).id;
  });
  expect(new Set(nodeIds(mesh))).toEqual(new Set([own.id, ...visitors.slice(-99)]));
});

test("[M67] a node that says hello replaces the node of its name that is down, without its labels", () => {
  const mesh = new TestMesh();
  const first = visit(mesh, "node1");
  const labels = { secret: "yes" };
  mesh.registry.updateNode(first.id, 1, { availability: "active", role: "worker", labels }, "operator");
  const second = mesh.join("node1", "127.0.0.2");
  expect(nodeIds(mesh)).toEqual([first.id, second.id]);
  mesh.hello(second);
  expect(mesh.registry.nodes()).toMatchObject([{ id: second.id, state: "ready", labels: {} }]);
  expect(mesh.events("node.remove")).toEqual([`node1: ${second.id} joined under its name`]);
});

test("[M68] sixty machines join at once, then one each second, and a refusal changes nothing", () => {
  const mesh = new TestMesh();
  for (let number = 1; number <= 60; number += 1) mesh.node(`n${number}`);
  const token = mesh.registry.joinTokens().worker;
  const join = (name: string) => refusal(mesh.registry.join({ token, ...machine(name, "127.0.0.9") }));
  expect(join("late")).toBe(
    "join/too-many: more than 60 machines joined at once: one each 1 s is accepted now, try again",
  );
  expect(mesh.registry.nodes()).toHaveLength(60);
  mesh.nowMs += 1_000;
  expect(join("late")).toBe("");
  expect(join("later")).toContain("join/too-many");
});

test("[M68] the allowance refills by the clock, and a clock that was set back takes none of it", () => {
  const size = { full: 60, intervalMs: 1_000 };
  expect(takeOne({ left: 0, atMs: 10_000 }, size, 11_000)).toEqual({ left: 0, atMs: 11_000 });
  expect(takeOne({ left: 0, atMs: 10_000 }, size, 10_999)).toBeNull();
  expect(takeOne({ left: 0, atMs: 10_000 }, size, 9_999_999)).toEqual({ left: 59, atMs: 9_999_999 });
  expect(takeOne({ left: 5, atMs: 10_000 }, size, 0)).toEqual({ left: 4, atMs: 0 });
});

test("[M68] at most fifty nodes wait for their first hello", () => {
  const mesh = new TestMesh();
  for (let number = 1; number <= 50; number += 1) {
    mesh.nowMs += 1_000;
    mesh.join(`n${number}`, "127.0.0.9");
  }
  const token = mesh.registry.joinTokens().worker;
  expect(refusal(mesh.registry.join({ token, ...machine("more", "127.0.0.9") }))).toBe(
    "join/too-many: 50 nodes have joined and never connected: remove them with waggle node rm, or wait an hour until they are forgotten",
  );
  const again = mesh.join("n7", "127.0.0.9");
  expect(mesh.registry.nodes()).toHaveLength(50);
  mesh.hello(again);
  mesh.join("more", "127.0.0.9");
});

test("[M69] after a thousand joins, a join takes as many steps as after a hundred", () => {
  for (const nameOf of [() => "node1", (index: number) => `n${index}`]) {
    const mesh = new TestMesh();
    const steps: number[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      mesh.nowMs += 1_000;
      steps.push(countMapEntries(() => visit(mesh, nameOf(index))));
      mesh.nodes.clear();
    }
    expect(Math.max(...steps.slice(-100))).toBeLessThanOrEqual(Math.max(...steps.slice(150, 250)) * 1.1);
  }
}, 30_000);

test("[M83] events and closed sockets quote refused text of a node as escapes", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  const hostile = "\x9b31m\u202egnp\x1b]0;a\x07\n";
  const refusals = [
    () => mesh.receive(node.id, readAgentMessage(hostile, true)),
    () => mesh.receive(node.id, readAgentMessage(`{"type":"${hostile}"}`, true)),
    () => mesh.hello({ ...node, name: hostile }),
    () => mesh.hello({ ...node, address: hostile }),
    () => mesh.send(node.id, { type: "goodbye", reason: hostile }),
  ];
  for (const refuse of refusals) {
    mesh.registry.takeEffects();
    refuse();
    const { closes } = mesh.registry.takeEffects();
    const [event] = mesh.registry.newestEvents(1);
    for (const text of [event?.why ?? "", ...closes.map(({ reason }) => reason)]) {
      expect(text).toContain("u202e");
      expect(isPrintable(text), JSON.stringify(text)).toBe(true);
    }
  }
});

test("[M79] text with control or format characters is refused in every field that a node fills", () => {
  const node = { ...machine("node1", "127.0.0.2") };
  const report = {
    id: "t".repeat(25),
    state: "failed",
    message: "",
    err: "",
    atMs: 0,
    endpoints: [],
    health: null,
    pid: null,
    exitCode: null,
  };
  const health = { verdict: "healthy", streak: { ok: true, length: 1 }, sinceMs: 0, rise: 2, fall: 3 };
  for (const [text, isAccepted] of [
    ["plain é 🐝", true],
    ["\x1b[2J", false],
    ["a\nb", false],
    ["\u202e", false],
    ["\x9b", false],
  ] as const) {
    for (const message of [
      { type: "report", tasks: [{ ...report, err: text }] },
      { type: "report", tasks: [{ ...report, message: text }] },
      { type: "report", tasks: [{ ...report, health: { ...health, lastCheck: text } }] },
      { type: "report", tasks: [{ ...report, endpoints: [{ target: 80, origin: text }] }] },
      { type: "goodbye", reason: text },
      { type: "hello", tasks: [], node: { ...node, engineVersion: text } },
      { type: "hello", tasks: [], node: { ...node, platform: { os: text, arch: text } } },
    ]) {
      expect(readAgentMessage(JSON.stringify(message), true).ok, JSON.stringify(message)).toBe(isAccepted);
    }
  }
});

/** Counts the entries that are put into maps: the registry copies the map of all nodes to change one. */
function countMapEntries(work: () => void): number {
  const original = Map.prototype.set;
  let entries = 0;
  Map.prototype.set = function (key, value) {
    entries += 1;
    return original.call(this, key, value);
  };
  try {
    work();
  } finally {
    Map.prototype.set = original;
  }
  return entries;
}
