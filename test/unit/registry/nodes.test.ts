import { expect, test } from "vitest";
import { readTable } from "../../../src/domain/table/text.ts";
import { closeCodes } from "../../../src/protocol/agent.ts";
import { assigned, machine, refusal, TestMesh, type TestNode } from "./harness.ts";

test("[M30] a wrong join token admits no node", () => {
  const { registry } = new TestMesh();
  const worker = registry.joinTokens().worker;
  expect(worker).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
  for (const token of ["", "SWMTKN-1-", worker.slice(0, -1), `${worker}0`, worker.toLowerCase()]) {
    const join = registry.join({ token, ...machine("node1", "127.0.0.2") });
    expect(refusal(join)).toBe("join/unauthorized: invalid join token");
  }
  expect(registry.nodes()).toEqual([]);
});

test("[M31] nodes join as workers with the worker token, and a token that was rotated out is invalid", () => {
  const mesh = new TestMesh();
  const before = mesh.registry.joinTokens();
  mesh.join("node1", "127.0.0.2", before.worker);
  expect(mesh.registry.nodes()).toMatchObject([{ role: "worker", state: "unknown" }]);
  mesh.registry.rotateJoinTokens({ worker: true, manager: false }, "operator");
  const after = mesh.registry.joinTokens();
  expect(after.manager).toBe(before.manager);
  expect(() => mesh.join("node2", "127.0.0.3", before.worker)).toThrow("invalid join token");
  mesh.join("node2", "127.0.0.3", after.worker);
  expect(mesh.events("mesh.rotate-token")).toEqual(["test: the worker join token was replaced"]);
});

test("[M31] a node that joins with the manager token has the role manager, and a balancer never has", () => {
  const { registry } = new TestMesh();
  const token = registry.joinTokens().manager;
  registry.join({ token, ...machine("node1", "127.0.0.2") });
  registry.join({ token, ...machine("balancer1", "127.0.0.3"), kind: "balancer", gateway: undefined });
  expect(
    registry
      .nodes()
      .map(({ hostname, role }) => `${hostname} ${role}`)
      .sort(),
  ).toEqual(["balancer1 worker", "node1 manager"]);
});

test("[M32] a credential is stored only as a hash, and is valid only for its own node", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.join("node1", "127.0.0.2"), mesh.join("node2", "127.0.0.3")];
  expect(one.credential.length).toBeGreaterThanOrEqual(43);
  expect(mesh.registry.agents.authenticateNode(one.id, one.credential)).toBe(true);
  expect(mesh.registry.agents.authenticateNode(two.id, one.credential)).toBe(false);
  expect(mesh.registry.agents.authenticateNode("nobody", one.credential)).toBe(false);
  const tables = mesh.database.exec("SELECT name FROM sqlite_master WHERE type = 'table'");
  const rows = tables.flatMap(({ name }) => mesh.database.exec(`SELECT * FROM ${name}`));
  expect(JSON.stringify(rows)).not.toContain(one.credential);
});

test("[M33] the name of a node that is up is taken; that of one that is down or never said hello is free, under a new id", () => {
  const mesh = new TestMesh();
  const first = mesh.join("node1", "127.0.0.2");
  const second = mesh.join("node1", "127.0.0.2");
  expect(mesh.events("node.remove")).toEqual(["node1: its name joined again before it said hello"]);
  expect(mesh.registry.nodes().map(({ id }) => id)).toEqual([second.id]);
  mesh.hello(second);
  expect(() => mesh.join("node1", "127.0.0.2")).toThrow(
    `node node1 (${second.id}) is ready: stop its agent, or join with another --name`,
  );
  mesh.send(second.id, { type: "goodbye", reason: "" });
  const third = mesh.join("node1", "127.0.0.2");
  expect(new Set([first.id, second.id, third.id]).size).toBe(3);
  expect(mesh.registry.node("node1")).toMatchObject({ value: { id: third.id } });
});

test("[M34] at the edge a node has a DNS name, because fetch to an IP address is refused there", () => {
  const { registry } = new TestMesh("edge");
  const join = (address: string) =>
    refusal(registry.join({ token: registry.joinTokens().worker, ...machine("node1", address) }));
  for (const address of ["10.0.0.5", "::1", "2130706433", "0x7f.1"])
    expect(join(address)).toContain("error 1003");
  for (const address of ["localhost", "node 1.example.com", "-"])
    expect(join(address)).toContain("not a public DNS name");
  expect(join("node1.example.com")).toBe("");
});

test("[M35] an endpoint of a target port that the task does not have, or two of one, closes the socket and changes nothing", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web");
  const [task] = mesh.tasks();
  if (task === undefined) throw new Error("no task");
  const refusedEndpoints = [
    [{ target: 81, origin: `http://${node.address}:41000` }],
    [
      { target: 80, origin: `http://${node.address}:41000` },
      { target: 80, origin: `http://${node.address}:41001` },
    ],
  ];
  for (const endpoints of refusedEndpoints) {
    mesh.registry.takeEffects();
    mesh.report(task, { state: "running", endpoints });
    expect(mesh.registry.takeEffects().closes).toMatchObject([
      { nodeId: node.id, code: closeCodes.badMessage },
    ]);
    expect(mesh.tasks()).toEqual([task]);
  }
});

test("[M36] a node may report only its own tasks: a report about another's closes its socket, and no part of the message counts", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  const [first, second] = mesh.tasks();
  if (!first || !second) throw new Error("no tasks");
  const own = first.nodeId === one.id ? first : second;
  const others = own === first ? second : first;
  mesh.registry.takeEffects();
  mesh.send(one.id, {
    type: "report",
    tasks: [mesh.reportOf(own), mesh.reportOf(others, { state: "failed" })],
  });
  const effects = mesh.registry.takeEffects();
  expect(effects.closes).toEqual([
    {
      nodeId: one.id,
      code: closeCodes.badMessage,
      reason: `task ${others.id} belongs to node2, not to node1: a node may report only its own tasks`,
    },
  ]);
  expect(mesh.tasks()).toEqual([first, second]);
  expect(mesh.events("node.refused")).toEqual([`node1: ${effects.closes[0]?.reason}`]);
  mesh.hello(one, [mesh.reportOf(others)]);
  expect(mesh.tasks()).toEqual([first, second]);
  expect(two.id).toBe(others.nodeId);
});

test("[M37] a report about a removed task is answered with the assignment", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  const [task] = mesh.tasks();
  if (task === undefined) throw new Error("no task");
  mesh.registry.removeService("my-web", "operator");
  mesh.work();
  mesh.registry.takeEffects();
  mesh.report(task, { state: "shutdown" });
  const effects = mesh.registry.takeEffects();
  expect(effects.closes).toEqual([]);
  expect(effects.assignments).toMatchObject([{ nodeId: node.id, resend: true, body: { tasks: [] } }]);
});

test("[M38] hello makes a node ready and is answered with its assignment", () => {
  const mesh = new TestMesh();
  const node = mesh.join("node1", "127.0.0.2");
  expect(stateOf(mesh, node)).toBe("unknown waiting for its agent");
  mesh.service("my-web");
  expect(mesh.tasks()[0]?.nodeId).toBeNull();
  const effects = mesh.hello(node);
  expect(stateOf(mesh, node)).toBe("ready ");
  expect(assigned(effects, node.id)).toHaveLength(1);
  expect(mesh.hello(node).assignments).toMatchObject([{ nodeId: node.id, resend: true }]);
});

test("[M39] a task that the agent had accepted and does not name at hello is lost and replaced", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const [kept, lost] = mesh.running("my-web");
  if (!kept || !lost) throw new Error("my-web does not run");
  mesh.hello(node, [mesh.reportOf(kept)]);
  mesh.work();
  expect(mesh.registry.task(lost.id)).toMatchObject({
    value: { state: "failed", err: "task: its agent came back without it" },
  });
  expect(
    mesh
      .running("my-web")
      .map(({ slot }) => slot)
      .sort(),
  ).toEqual([1, 2]);
  expect(mesh.registry.task(kept.id)).toMatchObject({ value: { state: "running" } });
});

test("[M40] a node that is silent for 15 s is down, its socket is closed so that it redials, and its tasks run elsewhere", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  mesh.pass(14_999, [two]);
  expect(stateOf(mesh, one)).toBe("ready ");
  const effects = mesh.pass(1, [two]);
  expect(stateOf(mesh, one)).toBe("down heartbeat failure");
  expect(effects.closes).toEqual([
    { nodeId: one.id, code: closeCodes.missedHeartbeats, reason: "missed its heartbeats" },
  ]);
  mesh.work([one.id]);
  expect(mesh.running("my-web").filter(({ nodeId }) => nodeId === two.id)).toHaveLength(2);
});

test("[M40] a node that comes back is ready again, and no slot runs twice", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const frozen = mesh.running("my-web").filter(({ nodeId }) => nodeId === one.id);
  mesh.pass(20_000, [two]);
  mesh.work([one.id]);
  mesh.hello(
    one,
    frozen.map((task) => mesh.reportOf(task)),
  );
  expect(stateOf(mesh, one)).toBe("ready ");
  mesh.work();
  expect(
    mesh
      .running("my-web")
      .map(({ slot }) => slot)
      .sort(),
  ).toEqual([1, 2]);
});

test("[M41] a socket that closes leaves its node ready for 15 s, and a redial in time does not affect its tasks", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const running = mesh.running("my-web");
  mesh.drop(one);
  mesh.pass(14_000, [two]);
  mesh.hello(
    one,
    running.filter(({ nodeId }) => nodeId === one.id).map((task) => mesh.reportOf(task)),
  );
  mesh.pass(60_000);
  expect(mesh.running("my-web").map(({ id }) => id)).toEqual(running.map(({ id }) => id));
  mesh.drop(one);
  mesh.pass(15_000, [two]);
  expect(stateOf(mesh, one)).toBe("down heartbeat failure");
});

test("[M42] after a reset, which closes every socket, nodes have 15 s to redial", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.nowMs += 3_000;
  mesh.restart();
  mesh.hello(one);
  mesh.pass(14_000, [one]);
  expect(stateOf(mesh, two)).toBe("ready ");
  mesh.pass(2_000, [one]);
  expect(stateOf(mesh, two)).toBe("down heartbeat failure");
  expect(stateOf(mesh, one)).toBe("ready ");
});

test("[M42] silence while the registry was not running does not count", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.drop(one);
  mesh.nowMs += 3_600_000;
  mesh.restart();
  mesh.ring([]);
  mesh.hello(two);
  expect([stateOf(mesh, one), stateOf(mesh, two)]).toEqual(["ready ", "ready "]);
  mesh.pass(15_000, [two]);
  expect([stateOf(mesh, one), stateOf(mesh, two)]).toEqual(["down heartbeat failure", "ready "]);
});

test("[M43] a registry that only wakes and sleeps does not keep a node ready", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.drop(node);
  for (let wakeUps = 0; wakeUps < 3; wakeUps += 1) {
    mesh.nowMs += 4_000;
    mesh.restart();
  }
  mesh.pass(3_000, []);
  expect(stateOf(mesh, node)).toBe("down heartbeat failure");
});

test("[M44] goodbye makes a node down at once", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.send(node.id, { type: "goodbye", reason: "SIGTERM" });
  expect(stateOf(mesh, node)).toBe("down left");
  mesh.drop(node);
  expect(mesh.events("node.down")).toEqual(["node1: left"]);
});

test("[M45] a leaving node keeps its tasks until their replacements run, then has none; its availability does not change", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  const own = mesh.running("my-web").filter(({ nodeId }) => nodeId === one.id);
  expect(own).toHaveLength(1);
  mesh.send(one.id, { type: "leaving" });
  expect(mesh.registry.task(own[0]?.id ?? "")).toMatchObject({
    value: { state: "running", desired: "running" },
  });
  expect(mesh.registry.node("node1")).toMatchObject({
    value: { availability: "active", version: 1, leaving: true },
  });
  const effects = mesh.work();
  expect(mesh.running("my-web").map(({ nodeId }) => nodeId)).toEqual([two.id, two.id]);
  expect(assigned(effects, one.id)).toEqual([]);
  mesh.hello(one);
  expect(mesh.registry.node("node1")).toMatchObject({ value: { leaving: false, state: "ready" } });
});

test("[M46] a node is removed when it is down, or by force, and its agent's socket is closed as not a member's", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  mesh.work();
  expect(refusal(mesh.registry.removeNode("node1", false, "operator"))).toBe(
    `node/precondition: node ${one.id} is not down and can't be removed`,
  );
  mesh.registry.takeEffects();
  expect(mesh.registry.removeNode("node1", true, "operator")).toEqual({ ok: true, value: null });
  expect(mesh.registry.takeEffects().closes).toMatchObject([{ nodeId: one.id, code: closeCodes.notAMember }]);
  expect(mesh.registry.agents.authenticateNode(one.id, one.credential)).toBe(false);
  mesh.work();
  expect(mesh.running("my-web").map(({ nodeId }) => nodeId)).toEqual([two.id, two.id]);
  mesh.send(one.id, { type: "report", tasks: [] });
  expect(mesh.registry.takeEffects().closes).toMatchObject([{ nodeId: one.id, code: closeCodes.notAMember }]);
});

test("[M47] a node update is guarded by the version, and an update that changes nothing raises no version", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const unchanged = { availability: "active", role: "worker", labels: {} } as const;
  expect(mesh.registry.updateNode("node1", 1, unchanged, "operator")).toMatchObject({
    value: { version: 1 },
  });
  const drain = { ...unchanged, availability: "drain" } as const;
  expect(mesh.registry.updateNode("node1", 1, drain, "operator")).toMatchObject({ value: { version: 2 } });
  expect(refusal(mesh.registry.updateNode("node1", 1, unchanged, "operator"))).toBe(
    "node/sequence: update out of sequence",
  );
  expect(mesh.events("node.update")).toEqual(["node1: availability active -> drain"]);
});

test("[M48] a node's label waggle.host names the hosts of its own entry point", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const change = {
    availability: "active",
    role: "worker",
    labels: { "waggle.host": "a.example.com" },
  } as const;
  mesh.registry.updateNode("node1", 1, change, "operator");
  expect(readTable(mesh.registry.table(0).text ?? "").nodes).toMatchObject([{ hosts: ["a.example.com"] }]);
  const invalid = { ...change, labels: { "waggle.host": "not a host" } };
  expect(refusal(mesh.registry.updateNode("node1", 2, invalid, "operator"))).toContain("label/invalid");
});

function stateOf(mesh: TestMesh, { id }: TestNode): string {
  const node = mesh.registry.nodes().find((candidate) => candidate.id === id);
  return `${node?.state} ${node?.message}`;
}
