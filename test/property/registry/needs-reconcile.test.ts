import fc from "fast-check";
import { expect, test } from "vitest";
import { compileTable } from "../../../src/domain/compile/compile-table.ts";
import type { CheckStatus } from "../../../src/domain/model/check-result.ts";
import type { MeshNode } from "../../../src/domain/model/node.ts";
import { adminStates, type StaticServer } from "../../../src/domain/model/server.ts";
import type { ServerHealth } from "../../../src/domain/model/server-health.ts";
import type { HealthReport, Task } from "../../../src/domain/model/task.ts";
import { applyReport, type TaskObservation } from "../../../src/domain/model/task-report.ts";
import type { World } from "../../../src/domain/model/world.ts";
import { applyPlan, isEmpty } from "../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../src/domain/orchestrator/reconcile.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { needsReconcile } from "../../../src/registry/needs-reconcile.ts";
import { aCheckedServer, aServer } from "../../support/servers.ts";
import { aNode, aService, aTask, aWorld, healthy, ids, now } from "../../support/world.ts";

const at = { nowMs: now, newId: ids("t") };
const health: fc.Arbitrary<Partial<HealthReport> | null> = fc.option(
  fc.record(
    {
      verdict: fc.constantFrom("healthy", "unhealthy", "starting"),
      streak: fc.record({ ok: fc.boolean(), length: fc.nat(3) }),
      sinceMs: fc.constantFrom(now - 2_000, now - 1_000),
      lastCheck: fc.constantFrom("L4OK in 0ms", "L4CON in 1ms"),
      rise: fc.constantFrom(2, 3),
      fall: fc.constantFrom(3, 4),
    },
    { requiredKeys: [] },
  ),
);
const endpoints = fc.constantFrom([], endpointsAt(1), endpointsAt(2));
/** What a report says besides health; absent: as the registry knows it. */
const report: fc.Arbitrary<Partial<Omit<TaskObservation, "id" | "health">>> = fc.record(
  {
    state: fc.constantFrom("running", "failed", "complete", "shutdown"),
    message: fc.constantFrom("", "started"),
    err: fc.constantFrom("", "task: exit 1"),
    endpoints,
    pid: fc.constantFrom(null, 1),
    exitCode: fc.constantFrom(null, 1),
  },
  { requiredKeys: [] },
);
const words: readonly (CheckStatus | null)[] = [null, "L7OK", "L7OKC", "L4CON"];
const serverHealth: fc.Arbitrary<Partial<ServerHealth>> = fc.record(
  {
    counter: fc.nat(4),
    up: fc.boolean(),
    sinceMs: fc.constantFrom(now, now + 1, now + 2),
    last: fc.constantFrom(...words).map((word) => word && { word, code: null, durationMs: 1 }),
    fails: fc.nat(3),
    downs: fc.nat(3),
    downMs: fc.nat(3),
    regions: fc.constantFrom({}, { weur: { counter: 1, fails: 0, last: null } }),
  },
  { requiredKeys: [] },
);
const admin = fc.constantFrom(...adminStates);

type Change = (world: World) => World;

/** What agents, probers and operators change of one item. The number chooses the item, by remainder. */
const change: fc.Arbitrary<Change> = fc.oneof<fc.MaybeWeightedArbitrary<Change>[]>(
  { weight: 3, arbitrary: changeOf("tasks", report, observe) },
  { weight: 2, arbitrary: changeOf("tasks", endpoints, (task, endpoints) => observe(task, { endpoints })) },
  { weight: 3, arbitrary: changeOf("tasks", health, withTaskHealth) },
  { weight: 4, arbitrary: changeOf("servers", serverHealth, withServerHealth) },
  changeOf("tasks", fc.constantFrom("shutdown", "remove"), (task, desired) => ({ ...task, desired })),
  changeOf("tasks", admin, (task, admin) => ({ ...task, admin })),
  changeOf("servers", admin, (server, admin) => ({ ...server, admin })),
  changeOf("nodes", admin, (node, admin) => ({ ...node, admin })),
  changeOf("tasks", fc.constant(null), () => null),
  changeOf("servers", fc.constant(null), () => null),
);

type Items = { tasks: Task; servers: StaticServer; nodes: MeshNode };

/** @param apply the changed item; null: it is removed */
function changeOf<K extends keyof Items, V>(
  kind: K,
  values: fc.Arbitrary<V>,
  apply: (item: Items[K], value: V) => Items[K] | null,
): fc.Arbitrary<Change> {
  return fc.tuple(fc.nat(50), values).map(([number, value]) => (world) => {
    const items = new Map(world[kind] as ReadonlyMap<string, Items[K]>);
    const item = [...items.values()][number % Math.max(items.size, 1)];
    if (item === undefined) return world;
    const changed = apply(item, value);
    if (changed === null) items.delete(item.id);
    else items.set(item.id, changed);
    return { ...world, [kind]: items };
  });
}

/** The task after a report that repeats what is known, except for `change`. */
function observe(task: Task, change: Partial<TaskObservation>): Task {
  const { id, message, err, endpoints, health, pid, exitCode } = task;
  const known = { id, message, err, endpoints, health, pid, exitCode, atMs: now };
  return applyReport(task, { state: "running", ...known, ...change });
}

function withTaskHealth(task: Task, change: Partial<HealthReport> | null): Task {
  return observe(task, { health: change && { ...(task.health ?? healthy), ...change } });
}

function withServerHealth(server: StaticServer, change: Partial<ServerHealth>): StaticServer {
  return { ...server, health: server.health && { ...server.health, ...change } };
}

function endpointsAt(port: number): Task["endpoints"] {
  return [{ target: 80, origin: `http://127.0.0.2:${port}` }];
}

/** Two nodes, a service of three tasks and one of two static servers, after some changes. */
const worlds: fc.Arbitrary<World> = fc
  .tuple(fc.constantFrom({}, { "waggle.slowstart": "10s" }, { "waggle.sticky": "id" }), fc.array(change))
  .map(([labels, changes]) => {
    const web = aService({ name: "web", replicas: 3, labels });
    const fixed = aService({ name: "fixed", replicas: 0, labels, ports: [] });
    const servers = ["a", "b"].map((name) => aServer(fixed, aCheckedServer({ name })));
    const empty = aWorld([aNode({ hostname: "node1" }), aNode({ hostname: "node2" })], [web, fixed]);
    const placed = settled({ ...empty, servers: mapOf(...servers) });
    const tasks = [...placed.tasks.values()].map(
      (task): Task => ({ ...task, state: "running", endpoints: endpointsAt(1), health: healthy }),
    );
    const running = { ...placed, tasks: mapOf(...tasks) };
    return settled(changes.reduce<World>((world, apply) => apply(world), running));
  });

function settled(world: World): World {
  for (let present = world; ; ) {
    const plan = reconcile(present, at);
    if (isEmpty(plan)) return present;
    present = applyPlan(present, plan);
  }
}

test("[M20] a change that needs no reconcile leaves the table's text as it is, and a settled world settled", () => {
  fc.assert(
    fc.property(worlds, change, (before, apply) => {
      const after = apply(before);
      if (needsReconcile(before, after)) return;
      expect(printTable(compileTable(after, 1))).toBe(printTable(compileTable(before, 1)));
      expect(isEmpty(reconcile(after, at))).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test("[M20] the streak of a task's checks and the counters of a server's need no reconcile", () => {
  const service = aService();
  const server = aServer(service, aCheckedServer());
  const task = aTask(service);
  const world = { ...aWorld([aNode()], [service], [task]), servers: mapOf(server) };
  const streak = { ok: false, length: 1 };
  const flapping = withTaskHealth(task, { streak, lastCheck: "L4CON in 1ms" });
  expect(flapping.version).toBe(task.version + 1);
  const failing = withServerHealth(server, {
    counter: 3,
    fails: 1,
    last: { word: "L4CON", code: null, durationMs: 1 },
    regions: { weur: { counter: 3, fails: 1, last: null } },
  });
  const after = { ...world, tasks: mapOf(flapping), servers: mapOf(failing) };
  expect(needsReconcile(world, after)).toBe(false);
  const down = withServerHealth(server, { up: false });
  expect(needsReconcile(world, { ...after, servers: mapOf(down) })).toBe(true);
});

function mapOf<T extends { readonly id: string }>(...items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}
