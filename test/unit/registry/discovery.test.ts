import { expect, test } from "vitest";
import type { DiscoveredService, DiscoveredTask } from "../../../src/domain/model/discovery.ts";
import { readTable } from "../../../src/domain/table/text.ts";
import { discoveredTaskId } from "../../../src/protocol/discovery.ts";
import { readAgentMessage } from "../../../src/registry/agent-message.ts";
import { assigned, input, refusal, TestMesh, type TestNode } from "./harness.ts";

const aService = (change: Partial<DiscoveredService> = {}): DiscoveredService => ({
  name: "web",
  source: "container",
  image: "nginx",
  labels: {},
  ports: [{ target: 80, published: 8080 }],
  warnings: [],
  elsewhere: [],
  ...change,
});

const aTask = (key: string, change: Partial<DiscoveredTask> = {}): DiscoveredTask => ({
  key,
  service: "web",
  containerId: "c".repeat(64),
  image: "nginx",
  address: "172.17.0.2",
  startedAtMs: 1_799_999_990_000,
  health: null,
  ...change,
});

function report(
  mesh: TestMesh,
  { id }: TestNode,
  services: readonly DiscoveredService[],
  tasks: readonly DiscoveredTask[] = services.map(({ name }) => aTask(`${name} 1`, { service: name })),
): void {
  mesh.send(id, { type: "discovery", discovery: { services: [...services], tasks: [...tasks] } });
}

function routed(mesh: TestMesh) {
  const table = readTable(mesh.registry.table(-1).text ?? "");
  return table.services.map(({ name, ports, hosts, tasks }) => ({
    name,
    ports: ports.map(({ published, target }) => `${published}:${target}`),
    hosts: [...hosts],
    nodes: tasks.map(({ nodeId }) => mesh.nodes.get(nodeId)?.name),
  }));
}

const warningsOf = (mesh: TestMesh, name: string) =>
  mesh.registry.services().find(({ spec }) => spec.name === name)?.discovered?.warnings;
const problemsOf = (mesh: TestMesh, name: string) =>
  mesh.registry.nodes().find(({ hostname }) => hostname === name)?.discoveryProblems ?? [];

test("[M120] what a node reports is a service of the mesh with its ports and tasks, which nodes are never assigned", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  report(mesh, node, [aService()]);
  expect(routed(mesh)).toEqual([{ name: "web", ports: ["8080:80"], hosts: [], nodes: ["node1"] }]);
  expect(mesh.tasks().map(({ id, state, slot }) => [id, state, slot])).toEqual([
    [discoveredTaskId(node.id, "web 1"), "running", 1],
  ]);
  const effects = mesh.hello(node, [], null, true);
  expect(assigned(effects, node.id)).toEqual([]);
  expect(mesh.events("service.discover")).toEqual(["web: container"]);
});

test("[M120] a task keeps its slot and its admin state while it runs, and a container that starts again is another task", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  report(mesh, node, [aService()], [aTask("a"), aTask("b")]);
  const slots = () => Object.fromEntries(mesh.tasks().map(({ id, slot }) => [id, slot]));
  const before = slots();
  const b = discoveredTaskId(node.id, "b");
  mesh.registry.setAdmin({ kind: "task", ref: b }, "maint", "operator");
  report(mesh, node, [aService()], [aTask("b"), aTask("c")]);
  expect(slots()[b]).toBe(before[b]);
  expect(mesh.tasks().find(({ id }) => id === b)?.admin).toBe("maint");
  expect(Object.keys(slots())).not.toContain(discoveredTaskId(node.id, "a"));
  expect(new Set(Object.values(slots())).size).toBe(2);
});

test("[M121] discovered services go when their node is down, removed or excluded, and come back with it", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  report(mesh, node, [aService()]);
  mesh.drop(node);
  mesh.pass(20_000);
  expect(routed(mesh)).toEqual([]);
  expect(mesh.events("service.vanish")).toEqual(["web: "]);
  mesh.hello(node);
  expect(routed(mesh)).toEqual([]);
  report(mesh, node, [aService()]);
  const exclude = (labels: Record<string, string>) => {
    const [current] = mesh.registry.nodes();
    if (current === undefined) throw new Error("no node");
    const change = { availability: "active", role: "worker", labels } as const;
    mesh.registry.updateNode("node1", current.version, change, "operator");
  };
  exclude({ "waggle.discovery": "off" });
  expect(routed(mesh)).toEqual([]);
  exclude({});
  expect(routed(mesh)).toHaveLength(1);
  mesh.registry.removeNode("node1", true, "operator");
  expect(mesh.registry.services()).toEqual([]);
});

test("[M122] a discovered service takes neither the name nor the port of a created one, and the reason is shown", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("web");
  mesh.service("other", { ports: [{ target: 80, published: 8090, mode: "ingress" }] });
  report(mesh, node, [
    aService(),
    aService({
      name: "api",
      ports: [
        { target: 80, published: 8090 },
        { target: 81, published: 8091 },
      ],
    }),
  ]);
  expect(problemsOf(mesh, "node1")).toEqual([
    "discovered service web (container) is not published: an operator created a service of this name; give it another one by the label waggle.service",
  ]);
  expect(warningsOf(mesh, "api")).toEqual([
    expect.stringMatching(/^not published: port '8090' is already in use by service 'other'/),
  ]);
  expect(routed(mesh).find(({ name }) => name === "api")?.ports).toEqual(["8091:81"]);
  mesh.registry.removeService("web", "operator");
  mesh.registry.removeService("other", "operator");
  expect(problemsOf(mesh, "node1")).toEqual([]);
  expect(routed(mesh).map(({ name, ports }) => [name, ports])).toEqual([
    ["api", ["8090:80", "8091:81"]],
    ["web", ["8080:80"]],
  ]);
});

test("[M123] a port that a discovered service has stays with it, whatever is reported later", () => {
  const mesh = new TestMesh();
  const [first, second] = [mesh.node("node1"), mesh.node("node2")];
  report(mesh, second, [aService({ name: "web" })]);
  mesh.pass(1_000);
  report(mesh, first, [aService({ name: "api" })]);
  expect(routed(mesh).map(({ name, ports }) => [name, ports])).toEqual([
    ["api", []],
    ["web", ["8080:80"]],
  ]);
  const taken = input("late", { ports: [{ target: 80, published: 8080, mode: "ingress" }] });
  expect(refusal(mesh.registry.createService(taken, "operator"))).toMatch(/port '8080' is already in use/);
});

test("[M124] a discovered service takes no host name of another service, also not some of its paths", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.service("shop", { labels: { "waggle.host": "www.example.com" } });
  const ports = [{ target: 80 }];
  report(mesh, one, [
    aService({ name: "thief", ports, labels: { "waggle.host": "www.example.com", "waggle.path": "/login" } }),
    aService({ name: "api", ports, labels: { "waggle.path": "api.example.com/v1" } }),
    aService({ name: "docs", ports, labels: { "waggle.path": "api.example.com/docs" } }),
  ]);
  report(mesh, two, [aService({ name: "other", ports, labels: { "waggle.path": "api.example.com/admin" } })]);
  expect(warningsOf(mesh, "thief")).toEqual([
    "not published at host name www.example.com, which leads to service shop",
  ]);
  expect(warningsOf(mesh, "other")).toEqual([
    "not published at host name api.example.com, which leads to service api",
  ]);
  expect(warningsOf(mesh, "docs")).toEqual([]);
  const { services } = readTable(mesh.registry.table(-1).text ?? "");
  expect(services.filter(({ options }) => options?.paths).map(({ name }) => name)).toEqual(["api", "docs"]);
});

test("[M125] labels that concern other services are an operator's, and a label that cannot be read publishes nothing", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("shop");
  for (const [labels, reason] of [
    [{ "waggle.at": "shop", "waggle.path": "/login" }, /'waggle.at' concerns other services/],
    [{ "waggle.default": "true" }, /'waggle.default' concerns other services/],
    [{ "waggle.canary": "shop", "waggle.canary.weight": "10%" }, /'waggle.canary' concerns/],
    [{ "waggle.balance": "fastest" }, /waggle.balance/],
    [{ "waggle.nonsense": "1" }, /is unknown/],
  ] as const) {
    report(mesh, node, [aService({ labels })]);
    expect(warningsOf(mesh, "web")).toEqual([expect.stringMatching(reason)]);
    expect(routed(mesh).find(({ name }) => name === "web")?.ports).toEqual([]);
  }
});

test("[M126] nodes that define a service equally share it, and tasks of another definition get no requests", () => {
  const mesh = new TestMesh();
  const [one, two, three] = [mesh.node("node1"), mesh.node("node2"), mesh.node("node3")];
  report(mesh, two, [aService()]);
  report(mesh, one, [aService()]);
  report(mesh, three, [aService({ ports: [{ target: 81, published: 8080 }] })]);
  expect(routed(mesh)[0]?.nodes.sort()).toEqual(["node1", "node2"]);
  const [service] = mesh.registry.services();
  expect(service?.spec.labels["waggle.discovered"]).toBe("container on node1, node2");
  expect(problemsOf(mesh, "node3")).toEqual([
    "discovered service web (container) gets no requests: its ports differ from those of the service web on node node2; make them equal, or give it another name by the label waggle.service",
  ]);
  report(mesh, two, []);
  expect(routed(mesh)[0]?.nodes).toEqual(["node1"]);
});

test("[M127] a task of a Swarm counts on another node only if a manager of the Swarm says that it runs there", () => {
  const mesh = new TestMesh();
  const [manager, worker] = [mesh.node("manager"), mesh.node("worker")];
  const elsewhere = [
    { swarmTask: "t2", hostname: "worker" },
    { swarmTask: "t3", hostname: "far" },
  ];
  report(mesh, manager, [aService({ source: "swarm", elsewhere })], [aTask("m 1", { swarmTask: "t1" })]);
  report(
    mesh,
    worker,
    [],
    [aTask("w 1", { swarmTask: "t2" }), aTask("w 2", { swarmTask: "forged" }), aTask("w 3")],
  );
  expect(routed(mesh)[0]?.nodes.sort()).toEqual(["manager", "worker"]);
  expect(warningsOf(mesh, "web")).toEqual([
    "1 of 3 tasks run on Swarm nodes without an agent (far) and get no requests: run waggle agent there",
  ]);
});

test("[M128] a hello of an agent that does not discover ends what the node reported before, and a report over its bounds closes the socket", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  report(mesh, node, [aService()]);
  mesh.hello(node, [], null, true);
  expect(mesh.registry.services()).toHaveLength(1);
  mesh.hello(node);
  expect(mesh.registry.services()).toEqual([]);
  const many = Array.from({ length: 201 }, (_, index) => aService({ name: `web${index}`, ports: [] }));
  const wide = Array.from({ length: 150 }, (_, index) =>
    aService({
      name: `web${index}`,
      labels: Object.fromEntries([..."abcd"].map((key) => [key, "x".repeat(999)])),
    }),
  );
  for (const services of [many, wide, [aService({ image: "nginx\u001b[31m" })]]) {
    const frame = JSON.stringify({ type: "discovery", discovery: { services, tasks: [] } });
    expect(readAgentMessage(frame, true).ok).toBe(false);
  }
});

test("[M130] a service that an operator created is the default before a discovered one, whatever their age", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  report(mesh, node, [aService()]);
  mesh.pass(1_000);
  const defaultOf = () => readTable(mesh.registry.table(-1).text ?? "").defaultService;
  expect(defaultOf()).toBe("web");
  mesh.service("shop");
  expect(defaultOf()).toBe("shop");
});

test("[A200] a discovered service cannot be created, updated, removed or given servers", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  report(mesh, node, [aService({ source: "compose" })]);
  const spec = { name: "s1", host: "192.0.2.1", port: 80, weight: 1, backup: false, maxConn: 0, check: null };
  const { registry } = mesh;
  for (const result of [
    registry.createService(input("web"), "operator"),
    registry.updateService("web", 1, input("web"), "operator"),
    registry.removeService("web", "operator"),
    registry.addServer("web", { spec: { ...spec, tls: false } as never, admin: "ready" }, "operator"),
  ]) {
    expect(refusal(result)).toBe(
      "service/forbidden: service web is discovered on node node1 (compose): change it there",
    );
  }
});
