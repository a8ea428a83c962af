// Machines that route requests themselves: nodes with an ingress of their own, and balancers.

import { expect, test } from "vitest";
import { problemsOf } from "../../../src/control/problems.ts";
import { readTable } from "../../../src/domain/table/text.ts";
import { readAgentMessage } from "../../../src/registry/agent-message.ts";
import { routerLiveMs } from "../../../src/registry/routers.ts";
import { input, machine, TestMesh, type TestNode } from "./harness.ts";

const version = (mesh: TestMesh) => mesh.registry.table(Number.MAX_SAFE_INTEGER).version;

/** Joins a machine and says its hello. */
function member(mesh: TestMesh, hostname: string, change: object): TestNode {
  const address = `127.0.0.${mesh.nodes.size + 2}`;
  const description = { ...machine(hostname, address), ...change };
  const joined = mesh.registry.join({ token: mesh.registry.joinTokens().worker, ...description });
  if (!joined.ok) throw new Error(joined.problem.message);
  const { nodeId: id, credential } = joined.value;
  const node = { id, name: hostname, address, credential };
  mesh.nodes.set(id, node);
  mesh.sockets.set(id, mesh.nowMs);
  mesh.send(id, { type: "hello", node: description, tasks: [] });
  return node;
}

const balancer = { kind: "balancer", ingress: true, gateway: undefined } as const;

function released(mesh: TestMesh): readonly (boolean | undefined)[] {
  return mesh
    .tasks()
    .filter(({ desired }) => desired !== "running")
    .map(({ departure }) => departure?.released);
}

test("[O133] a router whose poll waits is live, and holds the tasks that its table has", () => {
  const mesh = new TestMesh();
  const node = member(mesh, "node1", { ingress: true });
  mesh.service("my-web");
  mesh.work();
  mesh.registry.pollTable(node.id, version(mesh));
  mesh.registry.holdRouter(node.id);
  // Longer than a router without a waiting poll is live.
  mesh.pass(3 * routerLiveMs);
  mesh.registry.removeService("my-web", "operator");
  expect(released(mesh)).toEqual([false]);
  mesh.registry.releaseRouter(node.id);
  expect(released(mesh)).toEqual([false]);
  mesh.registry.pollTable(node.id, version(mesh));
  expect(released(mesh)).toEqual([true]);
});

test("[O133] a router that got the table and never polls again holds tasks for as long as it counts as live", () => {
  const mesh = new TestMesh();
  const node = member(mesh, "node1", { ingress: true });
  mesh.service("my-web");
  mesh.work();
  mesh.registry.pollTable(node.id, version(mesh));
  mesh.registry.holdRouter(node.id);
  mesh.pass(3 * routerLiveMs);
  mesh.registry.removeService("my-web", "operator");
  mesh.registry.releaseRouter(node.id);
  mesh.pass(routerLiveMs - 1);
  expect(released(mesh)).toEqual([false]);
  mesh.pass(1);
  expect(released(mesh)).toEqual([true]);
  expect(mesh.events("task.released")).toEqual([]);
});

test("[O132] a machine that is down may route; one that was removed, or opens no ports, may not", () => {
  const mesh = new TestMesh();
  const node = member(mesh, "node1", { ingress: true });
  const access = ({ id, credential }: TestNode) => mesh.registry.routerAccess(id, credential);
  mesh.send(node.id, { type: "goodbye", reason: "" });
  expect(mesh.registry.nodes()).toMatchObject([{ state: "down" }]);
  expect(access(node)).toBe("granted");
  expect(access({ ...node, credential: `${node.credential}x` })).toBe("refused");
  expect(access(member(mesh, "node2", {}))).toBe("unlisted");
  mesh.registry.removeNode(node.id, false, "operator");
  expect(access(node)).toBe("refused");
  expect(mesh.events("node.remove")).toEqual(["node1: it had the keys of the mesh, which are replaced"]);
});

test("[O132] a node whose agent starts without an ingress loses its access", () => {
  const mesh = new TestMesh();
  const node = member(mesh, "node1", { ingress: true });
  mesh.hello(node);
  expect(mesh.registry.routerAccess(node.id, node.credential)).toBe("unlisted");
});

/** The key that routers sign with, and all that they have. */
function keysOf(mesh: TestMesh) {
  const { text, gatewayKeys = [] } = mesh.registry.pollTable("router", 0);
  return { signing: readTable(text ?? "").signingKey, ids: gatewayKeys.map(({ id }) => id) };
}

test("[O251] the removal of a machine that could have the keys of the mesh replaces them without a gap", () => {
  for (const stillRoutes of [true, false]) {
    const mesh = new TestMesh();
    mesh.node("node1");
    const router = member(mesh, "node2", { ingress: true });
    // An agent that starts again without an ingress may have kept them.
    if (!stillRoutes) mesh.hello(router);
    const old = keysOf(mesh).signing;
    mesh.registry.removeNode(router.id, true, "operator");
    mesh.pass(14_999);
    expect(keysOf(mesh).signing).toBe(old);
    mesh.pass(1);
    const { signing, ids } = keysOf(mesh);
    expect(ids).toEqual([old, signing]);
    mesh.pass(600_000);
    expect(keysOf(mesh).ids).toEqual([signing]);
  }
});

test("[O251] a machine that is forgotten takes the keys with it, one that could not have them does not", () => {
  const mesh = new TestMesh();
  const [node, router] = [mesh.node("node1"), member(mesh, "node2", { ingress: true })];
  mesh.registry.removeNode(node.id, true, "operator");
  expect(keysOf(mesh).ids).toHaveLength(1);
  mesh.send(router.id, { type: "goodbye", reason: "" });
  // Another machine joins under its name.
  member(mesh, "node2", { ingress: true });
  expect(mesh.events("node.remove")).toHaveLength(2);
  expect(keysOf(mesh).ids).toHaveLength(2);
});

test("[O138] a balancer gets no task, is not in the table, and does not count as a node", () => {
  const mesh = new TestMesh();
  member(mesh, "lb", balancer);
  mesh.service("my-web");
  mesh.service("everywhere", { mode: { kind: "global" } });
  mesh.work();
  expect(mesh.tasks().map(({ nodeId, err }) => [nodeId, err])).toEqual([[null, "no suitable node"]]);
  const { text } = mesh.registry.table(-1);
  expect(text).not.toContain("lb");
  expect(mesh.registry.info().nodes).toEqual({ total: 0, ready: 0 });
  expect(mesh.registry.nodes()).toMatchObject([
    { hostname: "lb", kind: "balancer", availability: "drain", state: "ready" },
  ]);
  member(mesh, "node1", {});
  mesh.work();
  expect(mesh.tasks().map(({ state }) => state)).toEqual(["running", "running"]);
});

test("[O138] the availability of a balancer stays drain", () => {
  const mesh = new TestMesh();
  member(mesh, "lb", balancer);
  const change = { availability: "active", role: "worker", labels: {} } as const;
  expect(mesh.registry.updateNode("lb", 1, change, "operator")).toMatchObject({
    ok: false,
    problem: { message: "lb is a balancer and takes no tasks: its availability stays drain" },
  });
});

test("[O138] a balancer needs no confirmed address; a machine stays what it joined as", () => {
  const mesh = new TestMesh();
  mesh.nodeAddresses = "";
  mesh.restart();
  const lb = member(mesh, "lb", balancer);
  expect(mesh.registry.nodes()).toMatchObject([{ state: "ready" }]);
  mesh.registry.takeEffects();
  mesh.hello(lb, []);
  expect(mesh.events("node.refused")).toEqual([
    "lb: lb joined as a balancer: start it with waggle edge, or with another --state DIR",
  ]);
});

test("[O138] a node without a gateway is refused", () => {
  const mesh = new TestMesh();
  const { gateway, ...description } = machine("node1", "127.0.0.2");
  const joined = mesh.registry.join({ token: mesh.registry.joinTokens().worker, ...description });
  expect([gateway.port, joined]).toMatchObject([
    7946,
    { ok: false, problem: { message: "the node has no gateway: update its agent" } },
  ]);
});

test("[O137] a port that a machine cannot open is a problem with its reason, until it is open", () => {
  const mesh = new TestMesh();
  const node = member(mesh, "node1", { ingress: true });
  mesh.registry.createService(input("my-web"), "operator");
  mesh.work();
  const before = version(mesh);
  const why = "another process on this machine listens there";
  const closed = [{ port: 8080, why, sinceMs: mesh.nowMs + 60_000 }];
  mesh.send(node.id, { type: "report", tasks: [], listeners: { open: 1, closed } });
  // A time that lies ahead counts as now.
  expect(problems(mesh)).toEqual([
    { what: "port 8080 of node1", why: `not open: ${why}`, sinceMs: mesh.nowMs },
  ]);
  expect(version(mesh)).toBe(before);
  mesh.send(node.id, { type: "report", tasks: [], listeners: { open: 2, closed: [] } });
  expect(problems(mesh)).toEqual([]);
});

function problems(mesh: TestMesh) {
  const { registry } = mesh;
  const servers = registry.servers(null);
  const view = {
    info: registry.info(),
    nodes: registry.nodes(),
    services: registry.services(),
    tasks: mesh.tasks(),
    servers: servers.ok ? servers.value : [],
  };
  return problemsOf(view, []).map(({ what, why, sinceMs }) => ({ what, why, sinceMs }));
}

test.each([
  ["100 closed ports", { open: 0, closed: closedPorts(100) }, true],
  ["101 closed ports", { open: 0, closed: closedPorts(101) }, false],
  ["text that a terminal acts on", { open: 0, closed: [{ port: 80, why: "\u001b[2J", sinceMs: 0 }] }, false],
  ["a long reason", { open: 0, closed: [{ port: 80, why: "x".repeat(201), sinceMs: 0 }] }, false],
  ["port 0", { open: 0, closed: [{ port: 0, why: "", sinceMs: 0 }] }, false],
  ["a negative number", { open: -1, closed: [] }, false],
])("[O137] a report of listeners with %s is bounded", (_title, listeners, ok) => {
  const frame = JSON.stringify({ type: "report", tasks: [], listeners });
  expect(readAgentMessage(frame, true).ok).toBe(ok);
});

function closedPorts(count: number) {
  return Array.from({ length: count }, (_, index) => ({ port: index + 1, why: "taken", sinceMs: 0 }));
}
