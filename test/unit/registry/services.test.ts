import { expect, test } from "vitest";
import { readTable } from "../../../src/domain/table/text.ts";
import { aSpec } from "../../support/world.ts";
import { assigned, input, refusal, TestMesh } from "./harness.ts";

test("[M10] a service has its tasks in the table only while they can take requests", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.node("node2");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  expect(routable(mesh)).toEqual([0]);
  mesh.work();
  expect(routable(mesh)).toEqual([2]);
  expect(mesh.registry.removeService("my-web", "operator")).toEqual({ ok: true, value: null });
  expect(routable(mesh)).toEqual([]);
  mesh.work();
  expect(mesh.tasks()).toEqual([]);
});

test("[M11] a name and a port are free as soon as their service is removed, although its tasks still stop", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const first = mesh.service("my-web", { ports: [{ target: 80, published: 8080, mode: "ingress" }] });
  mesh.work();
  mesh.registry.removeService(first, "operator");
  expect(mesh.tasks().map(({ state, desired }) => `${state} ${desired}`)).toEqual(["running remove"]);
  mesh.service("my-web", { ports: [{ target: 80, published: 8080, mode: "ingress" }] });
});

test("[M12] a taken service name is refused in Docker's words, and nothing of the service is stored", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web");
  const before = snapshot(mesh);
  expect(refusal(mesh.registry.createService(input("my-web"), "operator"))).toBe(
    "service/conflict: name conflicts with an existing object: service my-web already exists",
  );
  expect(snapshot(mesh)).toEqual(before);
});

test("[M12] a taken published port is refused, and nothing of the service is stored", () => {
  const mesh = new TestMesh();
  const id = mesh.service("my-web", { ports: [{ target: 80, published: 8080, mode: "ingress" }] });
  const before = snapshot(mesh);
  const conflicting = input("other", { ports: [{ target: 80, published: 8080, mode: "ingress" }] });
  expect(refusal(mesh.registry.createService(conflicting, "operator"))).toContain(
    `port '8080' is already in use by service 'my-web' (${id}) as an ingress port`,
  );
  expect(snapshot(mesh)).toEqual(before);
});

test("[M13] a host name leads to one service", () => {
  const mesh = new TestMesh();
  mesh.service("my-web", { labels: { "waggle.host": "www.example.com" } });
  const other = mesh.registry.createService(
    input("other", { labels: { "waggle.host": "api.example.com,www.example.com" } }),
    "operator",
  );
  expect(refusal(other)).toBe("host/conflict: host name www.example.com already leads to service my-web");
  // A service that takes only some paths of a host name does not own it.
  mesh.service("api", { labels: { "waggle.host": "www.example.com", "waggle.path": "/api" } });
});

test("[M14] an update based on an older version is out of sequence", () => {
  const mesh = new TestMesh();
  mesh.service("my-web");
  const update = (version: number, replicas: number) =>
    mesh.registry.updateService(
      "my-web",
      version,
      input("my-web", { mode: { kind: "replicated", replicas } }),
      "operator",
    );
  expect(update(1, 2)).toMatchObject({ ok: true, value: { version: 2 } });
  expect(refusal(update(1, 3))).toBe("service/sequence: update out of sequence");
});

test("[M15] an update that changes nothing succeeds and raises no version", () => {
  const mesh = new TestMesh();
  mesh.service("my-web");
  const reordered = JSON.parse(JSON.stringify(input("my-web")));
  expect(mesh.registry.updateService("my-web", 1, reordered, "operator")).toMatchObject({
    ok: true,
    value: { version: 1, previous: null },
  });
  expect(mesh.events("service.update")).toEqual([]);
});

test("[M16] a rollback swaps the spec with the previous one, and a second rollback swaps them back", () => {
  const mesh = new TestMesh();
  mesh.service("my-web");
  const { document } = input("my-web");
  expect(refusal(mesh.registry.updateService("my-web", 1, "rollback", "operator"))).toMatch(
    /^service\/precondition: service [0-9a-z]{25} does not have a previous spec$/,
  );
  const next = input("my-web", { labels: { tier: "two" } });
  mesh.registry.updateService("my-web", 1, next, "operator");
  expect(mesh.registry.updateService("my-web", 2, "rollback", "operator")).toMatchObject({
    ok: true,
    value: { version: 3, document, previous: { document: next.document } },
  });
  expect(mesh.registry.updateService("my-web", 3, "rollback", "operator")).toMatchObject({
    ok: true,
    value: { version: 4, document: next.document },
  });
});

test("[M17] a service keeps its name and its mode", () => {
  const mesh = new TestMesh();
  mesh.service("my-web");
  expect(refusal(mesh.registry.updateService("my-web", 1, input("new-name"), "operator"))).toContain(
    "renaming services is not supported",
  );
  const global = input("my-web", { mode: { kind: "global" } });
  expect(refusal(mesh.registry.updateService("my-web", 1, global, "operator"))).toContain(
    "service mode change is not allowed",
  );
});

test("[M18] a document that is too large is refused", () => {
  const mesh = new TestMesh();
  const { spec } = input("my-web");
  const refused = mesh.registry.createService({ spec, document: "x".repeat(70_000) }, "operator");
  expect(refusal(refused)).toMatch(/^service\/too-large: the service takes \d+ bytes as JSON, at most 65536/);
});

test("[M19] a not-found error names the ref", () => {
  const { registry } = new TestMesh();
  expect(refusal(registry.service("nope"))).toBe("service/not-found: service nope not found");
  expect(refusal(registry.node("nope"))).toBe("node/not-found: node nope not found");
  expect(refusal(registry.task("nope"))).toBe("task/not-found: task nope not found");
  expect(refusal(registry.removeService("nope", "operator"))).toBe(
    "service/not-found: service nope not found",
  );
  expect(refusal(registry.tasks({ services: ["nope"] }))).toBe("service/not-found: service nope not found");
});

test("[M20] the table's version rises when the table changes and at no other time", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  const { version } = mesh.registry.table(0);
  mesh.service("no-tasks-yet", { mode: { kind: "replicated", replicas: 0 }, ports: [] });
  expect(mesh.registry.table(version).version).toBe(version + 1);
  mesh.registry.takeEffects();

  const [task] = mesh.running("my-web");
  if (task === undefined) throw new Error("my-web does not run");
  const streak = { ...mesh.reportOf(task).health, streak: { ok: true, length: 3 }, lastCheck: "L4OK in 1ms" };
  mesh.report(task, { health: streak as never });
  mesh.registry.updateNode(node.id, 1, { availability: "pause", role: "worker", labels: {} }, "operator");
  expect(mesh.registry.takeEffects().tableVersion).toBeNull();
  expect(mesh.registry.table(version + 1)).toEqual({ version: version + 1, text: null });

  mesh.report(task, { health: { ...streak, verdict: "unhealthy" } as never });
  expect(mesh.registry.takeEffects().tableVersion).toBe(version + 2);
  expect(readTable(mesh.registry.table(0).text ?? "").version).toBe(version + 2);
});

test("[M21] a start changes nothing in a settled mesh: same table, same version, no event", () => {
  const mesh = new TestMesh();
  const nodes = ["node1", "node2", "node3"].map((name) => mesh.node(name));
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 3 } });
  mesh.work();
  const before = snapshot(mesh);
  mesh.restart(nodes.map(({ id }) => id));
  expect(snapshot(mesh)).toEqual(before);
});

test("[M21] memory is only a cache: a registry restarted between any two commands makes the same decisions", () => {
  const decisions = (between: (mesh: TestMesh) => void) => {
    const mesh = new TestMesh();
    const pause = () => between(mesh);
    const nodes = ["node1", "node2", "node3"].map((name) => {
      const node = mesh.node(name);
      pause();
      return node;
    });
    mesh.service("my-web", { mode: { kind: "replicated", replicas: 4 } });
    pause();
    mesh.service("everywhere", { mode: { kind: "global" }, ports: [] });
    pause();
    mesh.work();
    pause();
    mesh.registry.updateNode("node1", 1, { availability: "drain", role: "worker", labels: {} }, "operator");
    pause();
    mesh.work();
    pause();
    const [victim] = mesh.running("my-web");
    if (victim) mesh.report(victim, { state: "failed", err: "task: exit 1", exitCode: 1 });
    pause();
    mesh.pass(20_000, nodes.slice(0, 2));
    pause();
    mesh.work(nodes.slice(2).map(({ id }) => id));
    pause();
    const fewer = input("my-web", { mode: { kind: "replicated", replicas: 2 } });
    mesh.registry.updateService("my-web", 1, fewer, "operator");
    pause();
    mesh.work();
    expect(mesh.running("my-web").map(({ slot }) => slot)).toHaveLength(2);
    return decided(mesh);
  };
  const withRestarts = decisions((mesh) => mesh.restart([...mesh.sockets.keys()]));
  expect(withRestarts).toEqual(decisions(() => {}));
});

test("[M22] a node is sent its assignment when it changed, and only then", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  mesh.registry.takeEffects();
  mesh.service("my-web");
  const effects = mesh.registry.takeEffects();
  const [task] = mesh.tasks("my-web");
  const owner = task?.nodeId === one.id ? one : two;
  const other = owner === one ? two : one;
  expect(assigned(effects, owner.id)).toMatchObject([
    { id: task?.id, desired: "running", slot: 1, service: { name: "my-web" }, run: { targets: [80] } },
  ]);
  expect(assigned(effects, other.id)).toBeUndefined();
  if (task) mesh.report(task, { state: "running" });
  expect(mesh.registry.takeEffects().assignments).toEqual([]);
  mesh.registry.removeService("my-web", "operator");
  const [stopping] = assigned(mesh.registry.takeEffects(), owner.id) ?? [];
  expect(stopping).toMatchObject({ id: task?.id, desired: "remove" });
  mesh.work();
});

test("[N102] an assignment carries the template, the service's labels and the host-mode ports", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  const ports = [
    { target: 80, published: 8080, mode: "ingress" },
    { target: 81, published: 8081, mode: "host" },
    { target: 82, mode: "host" },
  ] as const;
  mesh.service("my-web", { labels: { zone: "a" }, ports, run: { ...aSpec().run, targets: [80, 81, 82] } });
  const [task] = assigned(mesh.registry.takeEffects(), node.id) ?? [];
  const [stored] = mesh.tasks("my-web");
  expect(task?.template).toEqual(stored?.document);
  expect(task?.template).toMatchObject({ ContainerSpec: {} });
  expect(task?.service.labels).toEqual({ zone: "a" });
  expect(task?.hostPorts).toEqual([{ target: 81, published: 8081 }, { target: 82 }]);
});

test("[M23] a service counts the slots that run, not the tasks", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 2 } });
  expect(mesh.registry.service("my-web")).toMatchObject({ value: { running: 0, desiredTasks: 2 } });
  mesh.work();
  expect(mesh.registry.service("my-web")).toMatchObject({ value: { running: 2, desiredTasks: 2 } });
  expect(mesh.registry.info()).toMatchObject({
    name: "test",
    services: 1,
    nodes: { total: 1, ready: 1 },
    tasks: { running: 2, desired: 2 },
  });
  mesh.send(node.id, { type: "goodbye", reason: "" });
  expect(mesh.registry.service("my-web")).toMatchObject({ value: { running: 0, desiredTasks: 2 } });
});

test("[M24] a due deadline is acted on without a request", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web", { restart: { condition: "any", delayMs: 3_000, maxAttempts: 0, windowMs: 0 } });
  mesh.work();
  const [task] = mesh.running("my-web");
  if (task === undefined) throw new Error("my-web does not run");
  mesh.report(task, { state: "failed", err: "task: exit 1", exitCode: 1 });
  expect(mesh.tasks("my-web").filter(({ nodeId, state }) => nodeId !== null && state === "assigned")).toEqual(
    [],
  );
  const effects = mesh.pass(3_000);
  expect(assigned(effects, node.id)).toHaveLength(1);
});

function routable(mesh: TestMesh): readonly number[] {
  return readTable(mesh.registry.table(0).text ?? "").services.map(({ tasks }) => tasks.length);
}

/**
 * The state without releases of tasks: routers are known in memory only, so a restarted registry releases
 * later.
 */
function decided(mesh: TestMesh) {
  const text = JSON.stringify(snapshot(mesh), (_key, value) =>
    value?.departure === undefined ? value : { ...value, departure: undefined, version: undefined },
  );
  return JSON.parse(text);
}

function snapshot({ registry }: TestMesh) {
  return [
    registry.services(),
    registry.nodes(),
    registry.tasks({}),
    registry.table(0),
    registry.events(0, 1_000),
  ];
}
