// The registry works on what a transaction touches. Whatever happens, that must give what work on the whole world
// would have given.

import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileTable } from "../../../src/domain/compile/compile-table.ts";
import type { Availability } from "../../../src/domain/model/node.ts";
import { adminStates } from "../../../src/domain/model/server.ts";
import type { ServiceSpec } from "../../../src/domain/model/service.ts";
import type { World } from "../../../src/domain/model/world.ts";
import { isEmpty } from "../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../src/domain/orchestrator/reconcile.ts";
import { applyTableChange, readTableUpdate } from "../../../src/domain/table/apply-change.ts";
import type { RoutingTable } from "../../../src/domain/table/table.ts";
import { printTable, readTable } from "../../../src/domain/table/text.ts";
import type { TaskReport } from "../../../src/protocol/agent.ts";
import type { DiscoveryReport } from "../../../src/protocol/discovery.ts";
import type { TableUpdate } from "../../../src/registry/api.ts";
import { assignmentsOf, type NodeAssignment } from "../../../src/registry/assignments.ts";
import { withDiscovered } from "../../../src/registry/discovered-services.ts";
import { Registry } from "../../../src/registry/registry.ts";
import { WorldIndex } from "../../../src/registry/world-index.ts";
import { loadWorld } from "../../../src/registry/world-rows.ts";
import { firstWakeMs, withAddresses } from "../../support/plans.ts";
import { aServerSpec } from "../../support/servers.ts";
import { healthy } from "../../support/world.ts";
import { input, TestMesh } from "../../unit/registry/harness.ts";

type Step = (mesh: TestMesh) => void;

const names = ["web", "api", "batch"];
const at = fc.nat(1_000);
const spec: fc.Arbitrary<Partial<ServiceSpec>> = fc.record(
  {
    mode: fc.constantFrom<ServiceSpec["mode"][]>(
      { kind: "replicated", replicas: 0 },
      { kind: "replicated", replicas: 4 },
      { kind: "global" },
      { kind: "replicated-job", completions: 2, maxConcurrent: 1 },
    ),
    labels: fc.constantFrom<ServiceSpec["labels"][]>(
      { "waggle.host": "a.test" },
      { "waggle.sticky": "id", "waggle.maxconn": "5" },
      { "waggle.default": "true" },
    ),
    constraints: fc.constantFrom([], ["node.labels.zone==a"]),
    reservations: fc.constantFrom({ nanoCpus: 0, memoryBytes: 0 }, { nanoCpus: 2e9, memoryBytes: 0 }),
    maxPerNode: fc.constantFrom(0, 1),
    networks: fc.constantFrom([], [{ target: "back", aliases: [] }]),
    ports: fc.constantFrom<ServiceSpec["ports"][]>(
      [],
      [{ target: 80, mode: "ingress" }],
      [{ target: 80, published: 9_000, mode: "host" }],
    ),
  },
  { requiredKeys: [] },
);
const taskReport: fc.Arbitrary<Partial<TaskReport>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Partial<TaskReport>>({ state: "running" }) },
  fc.constantFrom<Partial<TaskReport>[]>(
    { state: "failed", err: "exit 1" },
    { state: "complete" },
    { state: "shutdown" },
    { state: "running", health: { ...healthy, verdict: "unhealthy" } },
  ),
);

/** What happens in a mesh. Numbers choose one of its nodes, services or tasks, by remainder. */
const step: fc.Arbitrary<Step> = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
  {
    weight: 4,
    arbitrary: fc.tuple(at, spec).map(([n, change]) => (mesh) => {
      mesh.registry.createService(input(pick(names, n) ?? "", change), "operator");
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(at, spec).map(([n, change]) => (mesh) => {
      const service = pick(mesh.registry.services(), n);
      if (service === undefined) return;
      const next = { ...service.spec, ...change };
      mesh.registry.updateService(service.id, service.version, { spec: next, document: {} }, "operator");
    }),
  },
  {
    weight: 12,
    arbitrary: fc.tuple(at, taskReport).map(([n, change]) => (mesh) => {
      const task = pick(
        mesh.tasks().filter(({ nodeId }) => nodeId !== null),
        n,
      );
      if (task !== undefined) mesh.report(task, change);
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(1_000, 5_000, 30_000).map((ms) => (mesh) => {
      mesh.pass(ms);
    }),
  },
  { weight: 3, arbitrary: fc.constant<Step>((mesh) => void mesh.work()) },
  fc.tuple(at, fc.constantFrom(0, 3, 8)).map(([n, replicas]) => (mesh) => {
    const service = pick(mesh.registry.services(), n);
    if (service?.spec.mode.kind !== "replicated") return;
    const next = { ...service.spec, mode: { kind: "replicated" as const, replicas } };
    mesh.registry.updateService(service.id, service.version, { spec: next, document: {} }, "operator");
  }),
  at.map((n) => (mesh) => {
    const service = pick(mesh.registry.services(), n);
    if (service !== undefined) mesh.registry.removeService(service.id, "operator");
  }),
  at.map((n) => (mesh) => {
    const service = pick(mesh.registry.services(), n);
    if (service !== undefined)
      mesh.registry.updateService(service.id, service.version, "rollback", "operator");
  }),
  at.map((n) => (mesh) => mesh.send(pick([...mesh.nodes.keys()], n) ?? "", { type: "leaving" })),
  at.map(
    (n) => (mesh) =>
      mesh.send(pick([...mesh.nodes.keys()], n) ?? "", { type: "goodbye", reason: "agent left" }),
  ),
  at.map((n) => (mesh) => {
    const node = pick([...mesh.nodes.values()], n);
    // Without its tasks: those that the agent had are lost.
    if (node !== undefined) sayHello(mesh, node.id, n % 2 === 0);
  }),
  fc.constant<Step>((mesh) => {
    if (mesh.nodes.size < 5) mesh.node(`node${mesh.nodes.size + 1}`);
  }),
  fc
    .tuple(at, fc.constantFrom<Availability[]>("active", "pause", "drain"), fc.constantFrom("a", "b"))
    .map(([n, availability, zone]) => (mesh) => {
      const node = pick(mesh.registry.nodes(), n);
      if (node === undefined) return;
      const change = { availability, role: node.role, labels: { zone } };
      mesh.registry.updateNode(node.id, node.version, change, "operator");
    }),
  at.map((n) => (mesh) => {
    const node = pick(mesh.registry.nodes(), n);
    if (node !== undefined) mesh.registry.removeNode(node.id, true, "operator");
  }),
  fc.tuple(at, fc.constantFrom(...adminStates)).map(([n, state]) => (mesh) => {
    const kind = pick(["task", "node"] as const, n) ?? "task";
    const item = pick<{ readonly id: string }>(kind === "task" ? mesh.tasks() : mesh.registry.nodes(), n);
    if (item !== undefined) mesh.registry.setAdmin({ kind, ref: item.id }, state, "operator");
  }),
  at.map((n) => (mesh) => {
    const service = pick(mesh.registry.services(), n);
    if (service === undefined) return;
    const server = { spec: aServerSpec({ name: `server${n % 3}` }), admin: "ready" as const };
    mesh.registry.addServer(service.id, server, "operator");
  }),
  at.map((n) => (mesh) => {
    const servers = mesh.registry.servers(null);
    const server = servers.ok ? pick(servers.value, n) : undefined;
    if (server !== undefined) mesh.registry.removeServer(server.id, "operator");
  }),
  // A refused report: its first task changes, and then nothing does.
  at.map((n) => (mesh) => {
    const tasks = mesh.tasks().filter(({ nodeId }) => nodeId !== null);
    const task = pick(tasks, n);
    const foreign = tasks.find(({ nodeId }) => nodeId !== task?.nodeId);
    if (task === undefined || foreign === undefined) return;
    const reports = [mesh.reportOf(task, { state: "failed" }), mesh.reportOf(foreign)];
    mesh.send(task.nodeId ?? "", { type: "report", tasks: reports });
  }),
  fc.tuple(at, fc.boolean()).map(([n, hasTwo]) => (mesh) => {
    const node = pick([...mesh.nodes.keys()], n);
    if (node !== undefined) mesh.send(node, { type: "discovery", discovery: discoveryOf(hasTwo ? 2 : 1) });
  }),
  at.map((n) => (mesh) => {
    mesh.registry.pollTable("router", n % 2 === 0 ? 1_000_000 : 1);
  }),
  fc.constant<Step>((mesh) => mesh.restart([...mesh.sockets.keys()])),
  fc.constant<Step>((mesh) => {
    mesh.nowMs -= 3_600_000;
    mesh.registry.followClock();
  }),
);

test("[M170] whatever happens, a transaction that works on what it touches decides as one that works on the whole world", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const mesh = new TestMesh();
      const sent = new Map<string, NodeAssignment>();
      mesh.registry.createNetwork(backNetwork, "operator");
      for (const name of ["node1", "node2", "node3"]) mesh.node(name);
      for (const apply of steps) {
        const before = tableOf(mesh);
        record(mesh, sent);
        apply(mesh);
        record(mesh, sent);
        mesh.registry.takeEffects();
        const world = loadWorld(mesh.database);
        expectMemoryAsSaved(mesh, world);
        expectTableAsCompiled(mesh, world, before);
        expectSettled(mesh, world);
        expectAssignmentsAsSent(loadWorld(mesh.database), sent);
      }
    }),
    { numRuns: 150 },
  );
}, 60_000);

test("[M181] whatever happens, routers that apply changes have the table that the whole world gives", () => {
  const updates = { whole: 0, change: 0 };
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.infiniteStream(fc.nat(9)),
      (steps, numbers) => {
        const mesh = meshWithTasks();
        const routers: (RoutingTable | null)[] = [null, null, null];
        for (const apply of steps) {
          apply(mesh);
          mesh.registry.prepareTable();
          const { version, text } = tableOf(mesh);
          for (const [n, held] of routers.entries()) {
            // The first router hears of every version, the others miss some.
            if (n > 0 && Number(numbers.next().value) > 3) continue;
            const update = mesh.registry.tableUpdate(held?.version ?? -1);
            expect(update.version).toBe(version);
            if (update.table === null) expect(held?.version).toBe(version);
            else {
              if (held !== null) updates[update.table.kind] += 1;
              routers[n] = readTableUpdate(textOf(update.table), held);
            }
            expect(printTable(routers[n] as RoutingTable)).toBe(text);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(updates.change).toBeGreaterThan(10 * updates.whole);
}, 60_000);

test("[M182] a change that was altered, or is applied to another table, is refused or gives the right table", () => {
  const letters = fc.constantFrom("", "x", " ", "0", "1", "\n", "-");
  let refused = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), fc.nat(), letters, (steps, at, letter) => {
      const mesh = meshWithTasks();
      let held: RoutingTable | null = null;
      for (const apply of steps) {
        const before: RoutingTable | null = held;
        apply(mesh);
        mesh.registry.prepareTable();
        const { table } = mesh.registry.tableUpdate(before?.version ?? -1);
        if (table === null) continue;
        held = readTableUpdate(textOf(table), before);
        if (table.kind === "whole" || before === null) continue;
        const { text } = table;
        const lines = text.split("\n");
        const altered = [
          text.slice(0, at % text.length) + letter + text.slice((at % text.length) + 1),
          lines.toSpliced(at % lines.length, 1).join("\n"),
          lines.toSpliced(at % lines.length, 0, lines[(at + 1) % lines.length] ?? "").join("\n"),
        ];
        const others = [held, { ...before, services: before.services.slice(1) }, { ...before, nodes: [] }];
        const attempts = [
          ...altered.map((other) => [before, other] as const),
          ...others.map((other) => [other, text] as const),
        ];
        for (const [base, change] of attempts) {
          const isSame = base === before && change === text;
          const next = tryToApply(base, change);
          if (next === null) refused += 1;
          else expect(printTable(next), isSame ? "the change itself" : change).toBe(printTable(held));
        }
      }
    }),
    { numRuns: 50 },
  );
  expect(refused).toBeGreaterThan(100);
}, 60_000);

function meshWithTasks(): TestMesh {
  const mesh = new TestMesh();
  for (const name of ["node1", "node2", "node3"]) mesh.node(name);
  for (const name of ["web", "api"]) {
    mesh.registry.createService(input(name, { mode: { kind: "replicated", replicas: 6 } }), "operator");
  }
  mesh.work();
  return mesh;
}

/** Null: it is refused. */
function tryToApply(base: RoutingTable, change: string): RoutingTable | null {
  try {
    return applyTableChange(base, change);
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^table\/(invalid|conflict)$/) });
    return null;
  }
}

function textOf(update: TableUpdate): string {
  return update.kind === "change" ? update.text : String(gunzipSync(update.gzip));
}

function expectMemoryAsSaved(mesh: TestMesh, { nodes, services, tasks }: World): void {
  const byId = <T extends { readonly id: string }>(items: Iterable<T>) =>
    [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
  expect(byId(mesh.registry.nodes())).toEqual(byId(nodes.values()));
  expect(byId(mesh.tasks())).toEqual(byId(tasks.values()));
  const views = mesh.registry.services().map(({ running, desiredTasks, completed, ...service }) => service);
  expect(byId(views)).toEqual(byId(services.values()));
}

function expectTableAsCompiled(mesh: TestMesh, world: World, before: ReturnType<typeof tableOf>): void {
  const { version, text } = tableOf(mesh);
  const { signingKey } = readTable(text);
  expect(text).toBe(printTable(compileTable(world, version, signingKey)));
  const isSame = text.replace(/^version .*$/m, "") === before.text.replace(/^version .*$/m, "");
  expect(version === before.version, "the version rises with the text").toBe(isSame);
}

/** The whole world is settled, and its next wake-up is set. A wake-up is delayed by up to 100 ms. */
function expectSettled(mesh: TestMesh, world: World, delays = 2): void {
  expect(withAddresses(world)).toBe(world);
  expect(withDiscovered(world, mesh.nowMs)).toBe(world);
  const plan = reconcile(schedulable(world), { nowMs: mesh.nowMs, newId: () => "new" });
  const [row] = mesh.database.exec("SELECT at_ms FROM deadlines WHERE name = 'reconcile'");
  const deadlineMs = Number(row?.at_ms ?? Number.POSITIVE_INFINITY);
  if (!isEmpty(plan)) {
    expect(deadlineMs).toBeLessThanOrEqual(mesh.nowMs + 100);
    expect(delays, "a wake-up changes what is due").toBeGreaterThan(0);
    mesh.pass(100);
    expectSettled(mesh, loadWorld(mesh.database), delays - 1);
    return;
  }
  const wakeMs = firstWakeMs(plan);
  if (wakeMs !== null) expect(deadlineMs).toBeLessThanOrEqual(Math.max(wakeMs, mesh.nowMs + 100));
}

/** As the scheduler sees it. */
function schedulable(world: World): World {
  const nodes = [...world.nodes.values()].map((node) =>
    node.leaving ? { ...node, availability: "drain" as const } : node,
  );
  return { ...world, nodes: new Map(nodes.map((node) => [node.id, node])) };
}

/** Each node that got an assignment has the tasks that it must run and stop, and the names on its networks. */
function expectAssignmentsAsSent(world: World, sent: ReadonlyMap<string, NodeAssignment>): void {
  const context = {
    index: new WorldIndex(world),
    resend: new Set<string>(),
    gatewayKeys: { keys: [], signing: null },
    sealSecret: "",
  };
  const part = ({ nodeId, body }: NodeAssignment) => [
    nodeId,
    body.tasks.map(({ id, desired, released, limit }) => ({ id, desired, released, limit })),
    body.networks?.map(({ id, services }) => ({ id, services })),
  ];
  for (const assignment of assignmentsOf(world, new Set(sent.keys()), context)) {
    const last = sent.get(assignment.nodeId);
    expect(last && part(last)).toEqual(part(assignment));
  }
}

/** Keeps the last assignment of each node. */
function record(mesh: TestMesh, sent: Map<string, NodeAssignment>): void {
  const { registry } = mesh;
  const take = Registry.prototype.takeEffects.bind(registry);
  registry.takeEffects = () => {
    const effects = take();
    for (const assignment of effects.assignments) sent.set(assignment.nodeId, assignment);
    return effects;
  };
}

function tableOf({ registry }: TestMesh): { readonly version: number; readonly text: string } {
  const { version, text } = registry.table(-1);
  return { version, text: text ?? "" };
}

const backNetwork = {
  name: "back",
  labels: {},
  options: {},
  attachable: false,
  subnet: "10.9.0.0/28",
  gateway: null,
};

/** The service `api` as a container of the machine, with one task or two. */
function discoveryOf(tasks: number): DiscoveryReport {
  const service = { name: "api", source: "container" as const, image: "nginx", labels: {}, warnings: [] };
  return {
    services: [{ ...service, ports: [{ target: 80, published: 8_080 }], elsewhere: [] }],
    tasks: Array.from({ length: tasks }, (_, n) => ({
      key: `${n}`,
      service: "api",
      containerId: "c".repeat(64),
      image: "nginx",
      address: "172.17.0.2",
      startedAtMs: 0,
      health: null,
    })),
  };
}

/** @param hasTasks false: its agent has lost them */
function sayHello(mesh: TestMesh, nodeId: string, hasTasks: boolean): void {
  const node = mesh.nodes.get(nodeId);
  if (node === undefined) return;
  const tasks = mesh.tasks().filter((task) => task.nodeId === nodeId && task.state === "running");
  const reports = tasks.map((task) =>
    mesh.reportOf(task, { endpoints: [...task.endpoints], health: task.health }),
  );
  mesh.hello(node, hasTasks ? reports : []);
}

/** One of a list, by remainder. */
function pick<T>(items: readonly T[], at: number): T | undefined {
  return items[at % Math.max(items.length, 1)];
}
