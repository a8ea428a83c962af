import fc from "fast-check";
import { expect, test } from "vitest";
import { assigned, input, TestMesh, type TestNode } from "./harness.ts";

/** The tasks of the assignment sent to `node` since the last call: desired state, and held or released. */
function sentTo(mesh: TestMesh, node: TestNode): readonly string[] | undefined {
  return assigned(mesh.registry.takeEffects(), node.id)?.map(({ desired, released }) => {
    return `${desired} ${released === false ? "held" : "released"}`;
  });
}

function running(): { readonly mesh: TestMesh; readonly node: TestNode } {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web", { mode: { kind: "replicated", replicas: 1 } });
  mesh.work();
  return { mesh, node };
}

/** Scales the one service to 0. */
function scaleDown(mesh: TestMesh): void {
  const [service] = mesh.registry.services();
  const scaled = input("my-web", { mode: { kind: "replicated", replicas: 0 } });
  mesh.registry.updateService("my-web", service?.version ?? 0, scaled, "operator");
}

/** For each task that must stop, whether its agent may stop it. */
function released(mesh: TestMesh): readonly (boolean | undefined)[] {
  return mesh
    .tasks()
    .filter(({ desired }) => desired !== "running")
    .map(({ departure }) => departure?.released);
}

const version = (mesh: TestMesh) => mesh.registry.table(Number.MAX_SAFE_INTEGER).version;

test("[V1] a task that must stop is held until every live router routes by a table without it", () => {
  const { mesh, node } = running();
  mesh.registry.pollTable("router1", version(mesh));
  mesh.registry.pollTable("router2", version(mesh));
  scaleDown(mesh);
  expect(sentTo(mesh, node)).toEqual(["remove held"]);
  mesh.registry.pollTable("router1", version(mesh));
  mesh.registry.pollTable("router2", version(mesh) - 1);
  expect(sentTo(mesh, node)).toBeUndefined();
  mesh.registry.pollTable("router2", version(mesh));
  expect(sentTo(mesh, node)).toEqual(["remove released"]);
  expect(mesh.events("task.released")).toEqual([]);
});

test("[M192] a known router that asks for a whole table still routes by the version that it had", () => {
  const { mesh, node } = running();
  mesh.registry.recordRouter("router1", version(mesh));
  scaleDown(mesh);
  expect(sentTo(mesh, node)).toEqual(["remove held"]);
  mesh.registry.recordRouter("router1", -1);
  expect(sentTo(mesh, node)).toBeUndefined();
  mesh.registry.recordRouter("router1", version(mesh));
  expect(sentTo(mesh, node)).toEqual(["remove released"]);
});

test("[V2] without a live router a task is released at once, and a router without a table routes no requests", () => {
  const { mesh, node } = running();
  mesh.registry.pollTable("router1", version(mesh));
  mesh.pass(3_000);
  mesh.registry.pollTable("router2", 0);
  mesh.registry.removeService("my-web", "operator");
  expect(sentTo(mesh, node)).toEqual(["remove held"]);
  const other = running();
  other.mesh.registry.pollTable("router1", version(other.mesh));
  other.mesh.pass(3_000);
  scaleDown(other.mesh);
  expect(sentTo(other.mesh, other.node)).toEqual(["remove released"]);
});

test("[V2] a reader of the table does not count as a router", () => {
  const { mesh, node } = running();
  mesh.registry.table(-1);
  scaleDown(mesh);
  expect(sentTo(mesh, node)).toEqual(["remove released"]);
});

test("[V3] the registry waits for a router that stops polling until it no longer counts as live", () => {
  const { mesh } = running();
  mesh.registry.pollTable("router1", version(mesh));
  mesh.pass(1_000);
  scaleDown(mesh);
  mesh.pass(1_999);
  expect(released(mesh)).toEqual([false]);
  mesh.pass(1);
  expect(released(mesh)).toEqual([true]);
});

test("[V4] the registry waits 5 s for routers that keep an old table, and an event says so", () => {
  const { mesh } = running();
  const old = version(mesh);
  scaleDown(mesh);
  expect(released(mesh)).toEqual([true]);
  const second = running();
  second.mesh.registry.pollTable("router1", old);
  scaleDown(second.mesh);
  for (let times = 0; times < 4; times += 1) {
    second.mesh.pass(1_249);
    expect(released(second.mesh)).toEqual([false]);
    second.mesh.registry.pollTable("router1", old);
  }
  second.mesh.pass(4);
  expect(released(second.mesh)).toEqual([true]);
  expect(second.mesh.events("task.released")).toEqual([
    `my-web.1: released after the limit of 5 s: 1 router still routes by a table older than version ${old + 1}`,
  ]);
});

test("[V5] a registry that lost its memory waits for the bound since the departure, or until it knows all routers", () => {
  const unpolled = running();
  unpolled.mesh.registry.pollTable("router1", version(unpolled.mesh));
  scaleDown(unpolled.mesh);
  unpolled.mesh.pass(2_500);
  unpolled.mesh.restart([unpolled.node.id]);
  unpolled.mesh.pass(2_499);
  expect(released(unpolled.mesh)).toEqual([false]);
  unpolled.mesh.pass(1);
  expect(released(unpolled.mesh)).toEqual([true]);
  expect(unpolled.mesh.events("task.released")[0]).toContain("does not know every router yet");

  const polled = running();
  polled.mesh.registry.pollTable("router1", version(polled.mesh));
  scaleDown(polled.mesh);
  polled.mesh.restart([polled.node.id]);
  polled.mesh.registry.pollTable("router1", version(polled.mesh));
  polled.mesh.pass(2_999);
  expect(released(polled.mesh)).toEqual([false]);
  polled.mesh.pass(1);
  expect(released(polled.mesh)).toEqual([true]);
  expect(polled.mesh.events("task.released")).toEqual([]);
});

test("[V6] tasks of a drained node and of a removed service are held in the same way", () => {
  const { mesh, node } = running();
  mesh.node("node2");
  mesh.registry.pollTable("router1", version(mesh));
  const drain = { availability: "drain", role: "worker", labels: {} } as const;
  mesh.registry.updateNode("node1", mesh.registry.nodes()[0]?.version ?? 0, drain, "operator");
  for (const task of mesh.tasks()) if (task.nodeId !== node.id) mesh.report(task, { state: "running" });
  expect(sentTo(mesh, node)).toEqual(["shutdown held"]);
  mesh.registry.pollTable("router1", version(mesh));
  expect(sentTo(mesh, node)).toEqual(["shutdown released"]);
});

test("[V7] a task that never ran is not held", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web");
  mesh.registry.pollTable("router1", version(mesh));
  mesh.registry.removeService("my-web", "operator");
  expect(sentTo(mesh, node)).toEqual(["remove released"]);
});

test("[V8] whatever routers and the clock do, a task is released after 5 s or when no live router routes by its table", () => {
  const step = fc.oneof(
    fc.record({ router: fc.constantFrom("a", "b", "c"), behind: fc.nat(2) }),
    fc.record({ ms: fc.constantFrom(1, 400, 999, 1_000, 2_999, 3_000) }),
    fc.record({ restart: fc.constant(true) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.array(step, { maxLength: 12 }), (before, after) => {
      const { mesh, node } = running();
      const polls = new Map<string, { version: number; atMs: number }>();
      const run = (next: typeof step extends fc.Arbitrary<infer T> ? T : never) => {
        if ("ms" in next) mesh.pass(next.ms);
        else if ("restart" in next) mesh.restart([node.id]);
        else {
          const routesByVersion = Math.max(1, version(mesh) - next.behind);
          polls.set(next.router, { version: routesByVersion, atMs: mesh.nowMs });
          mesh.registry.pollTable(next.router, routesByVersion);
        }
      };
      for (const next of before) run(next);
      scaleDown(mesh);
      const departedAtMs = mesh.nowMs;
      const versionWithout = version(mesh);
      for (const next of after) {
        const wasReleased = released(mesh)[0];
        const beforeMs = mesh.nowMs;
        run(next);
        if (
          wasReleased ||
          !released(mesh)[0] ||
          mesh.nowMs - departedAtMs >= 5_000 ||
          mesh.nowMs !== beforeMs
        )
          continue;
        for (const router of polls.values()) {
          if (router.atMs + 3_000 > mesh.nowMs) expect(router.version).toBeGreaterThanOrEqual(versionWithout);
        }
      }
      mesh.pass(Math.max(0, departedAtMs + 5_000 - mesh.nowMs));
      expect(released(mesh)).toEqual([true]);
    }),
  );
});

test("[V10] a task that two routers report within 5 s, or the only live one, is suspect: an event, and a probe by its agent", () => {
  const { mesh, node } = running();
  const [task] = mesh.tasks();
  const id = task?.id ?? "";
  const probes = () => mesh.registry.takeEffects().probes;
  mesh.registry.pollTable("router1", 0);
  mesh.registry.pollTable("router2", 0);
  probes();
  mesh.registry.suspect("router1", [id, "f".repeat(25)]);
  mesh.nowMs += 5_000;
  mesh.registry.pollTable("router1", 0);
  mesh.registry.pollTable("router2", 0);
  mesh.registry.suspect("router2", [id]);
  expect(probes()).toEqual([]);
  mesh.registry.suspect("router1", [id]);
  expect(probes()).toEqual([{ nodeId: node.id, taskIds: [id] }]);
  expect(mesh.events("task.suspect")).toEqual(["my-web.1: routers get no response from it"]);
  mesh.registry.suspect("router1", [id]);
  expect(probes()).toEqual([]);
  mesh.nowMs += 5_000;
  mesh.registry.suspect("router3", [id]);
  expect(probes()).toEqual([{ nodeId: node.id, taskIds: [id] }]);
});
