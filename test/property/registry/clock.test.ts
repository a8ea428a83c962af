// The registry under a clock that is set back and forward by half an hour.

import fc from "fast-check";
import { expect, test } from "vitest";
import { clockToleranceMs } from "../../../src/domain/model/clock-tolerance.ts";
import { seeNode } from "../../../src/registry/liveness.ts";
import { Routers } from "../../../src/registry/routers.ts";
import { input, TestMesh, type TestNode } from "../../unit/registry/harness.ts";

const graceMs = 15_000;
const halfHourMs = 30 * 60_000;

/** A step of the clock, after some seconds in which nodes ping. */
const clockStep = fc.record({
  afterMs: fc.integer({ min: 0, max: 40_000 }),
  stepMs: fc.constantFrom(-halfHourMs, -60_000, -2_000, 0, 60_000, halfHourMs),
});

function stateOf(mesh: TestMesh, node: TestNode): string {
  const found = mesh.registry.node(node.id);
  return found.ok ? found.value.state : "removed";
}

/** Sets the clock. The registry notices with the next call, as its object does. */
function setClock(mesh: TestMesh, stepMs: number): void {
  mesh.nowMs += stepMs;
  if (mesh.registry.isClockSetBack()) mesh.registry.followClock();
  // The platform's time of a ping stays as it was; the socket's own time counts as now.
  for (const [id, seenMs] of mesh.sockets) mesh.sockets.set(id, Math.min(seenMs, mesh.nowMs));
  if (stepMs > 0) mesh.ring([...mesh.nodes.values()].filter(({ id }) => mesh.sockets.has(id)));
}

test("[M73][M74] whatever steps the clock makes, a silent node is down 15 s after the last, and connected ones stay up", () => {
  fc.assert(
    fc.property(fc.array(clockStep, { maxLength: 6 }), fc.boolean(), (steps, losesSocket) => {
      const mesh = new TestMesh();
      const [silent, alive] = [mesh.node("silent"), mesh.node("alive")];
      mesh.pass(10_000);
      if (losesSocket) mesh.drop(silent);
      for (const { afterMs, stepMs } of steps) {
        mesh.pass(afterMs, [alive]);
        setClock(mesh, stepMs);
      }
      // A step back by less than the tolerance is not followed, and delays the end of the wait by itself.
      mesh.pass(graceMs + clockToleranceMs, [alive]);
      expect(stateOf(mesh, silent)).toBe("down");
      expect(stateOf(mesh, alive)).toBe("ready");
    }),
    { numRuns: 150 },
  );
});

test("[M73] a restart of the registry does not hide a dead node either", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.drop(node);
  mesh.nowMs -= halfHourMs;
  mesh.restart();
  mesh.pass(graceMs, []);
  expect(stateOf(mesh, node)).toBe("down");
});

test("[M73] the event of a step says how far", () => {
  const mesh = new TestMesh();
  setClock(mesh, -halfHourMs);
  setClock(mesh, -500);
  expect(mesh.events("mesh.clock")).toEqual(["test: the clock was set back by 1800 s"]);
});

test("[M73] a socket is seen when its ping changes, and never ahead of the clock", () => {
  const reading = fc.record({
    pingedAtMs: fc.integer({ min: 0, max: 1_000 }),
    nowMs: fc.integer({ min: 0, max: 1_000 }),
  });
  fc.assert(
    fc.property(fc.array(reading, { minLength: 1 }), (readings) => {
      let before = { seenAtMs: 0, pingedAtMs: 0 };
      for (const { pingedAtMs, nowMs } of readings) {
        const seen = seeNode(before, pingedAtMs, nowMs);
        expect(seen.seenAtMs).toBeLessThanOrEqual(nowMs);
        if (pingedAtMs === before.pingedAtMs) expect(seen.seenAtMs).toBe(Math.min(before.seenAtMs, nowMs));
        else expect(seen.seenAtMs).toBe(Math.min(nowMs, Math.max(before.seenAtMs, pingedAtMs)));
        before = seen;
      }
    }),
  );
});

test("[M75] whatever the clock does, a failed task is restarted within its delay", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(-halfHourMs, -60_000, 0, halfHourMs),
      fc.nat({ max: 20_000 }),
      (stepMs, afterMs) => {
        const mesh = new TestMesh();
        mesh.node("node1");
        mesh.service("my-web", {
          restart: { condition: "any", delayMs: 20_000, maxAttempts: 0, windowMs: 0 },
        });
        mesh.work();
        const [task] = mesh.running("my-web");
        if (task === undefined) throw new Error("my-web does not run");
        mesh.report(task, { state: "failed", err: "task: non-zero exit (1)", endpoints: [], health: null });
        mesh.pass(afterMs);
        setClock(mesh, stepMs);
        mesh.pass(20_000);
        mesh.work();
        expect(mesh.running("my-web")).toHaveLength(1);
      },
    ),
    { numRuns: 60 },
  );
});

test("[M75] whatever the clock does, a rolling update of three slots ends within its delays and monitor times", () => {
  for (const stepMs of [-halfHourMs, 0, halfHourMs]) {
    for (const afterMs of [0, 3_000, 9_000, 14_000]) {
      const mesh = new TestMesh();
      mesh.node("node1");
      const update = { parallelism: 1, order: "start-first", delayMs: 10_000 } as const;
      mesh.service("my-web", { mode: { kind: "replicated", replicas: 3 }, update });
      mesh.work();
      const change = input("my-web", { mode: { kind: "replicated", replicas: 3 }, update, forceUpdate: 1 });
      const version = versionOf(mesh);
      expect(mesh.registry.updateService("my-web", version, change, "operator")).toMatchObject({ ok: true });
      const pass = (ms: number) => {
        for (let passedMs = 0; passedMs < ms; passedMs += 500) {
          mesh.pass(500);
          mesh.work();
        }
      };
      pass(afterMs);
      setClock(mesh, stepMs);
      pass(45_000);
      const service = mesh.registry.service("my-web");
      expect(service).toMatchObject({ value: { update: { state: "completed" } } });
      expect(mesh.running("my-web")).toHaveLength(3);
    }
  }
});

test("[M75] a task that left the table is released within five seconds of a step back", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  const { version } = mesh.registry.pollTable("r1", 0);
  mesh.registry.pollTable("r1", version);
  mesh.registry.removeService("my-web", "operator");
  mesh.registry.takeEffects();
  setClock(mesh, -halfHourMs);
  const effects = mesh.pass(5_000);
  expect(effects.assignments.at(-1)?.body.tasks).toMatchObject([{ desired: "remove" }]);
  expect(effects.assignments.at(-1)?.body.tasks[0]).not.toHaveProperty("released");
});

test("[M75] a silent region does not count 90 s after a step back", () => {
  const mesh = new TestMesh();
  mesh.service("legacy");
  const check = {
    kind: "tcp",
    port: null,
    interMs: 2_000,
    fastInterMs: 2_000,
    downInterMs: 2_000,
    timeoutMs: 2_000,
    rise: 2,
    fall: 3,
    http: null,
  };
  const spec = {
    name: "s1",
    host: "10.0.0.5",
    port: 80,
    tls: false,
    weight: 1,
    backup: false,
    maxConn: 0,
    cookie: null,
    check,
  };
  mesh.registry.addServer("legacy", { spec: spec as never, admin: "ready" }, "operator");
  mesh.registry.reportProbes("weur", "", []);
  setClock(mesh, -halfHourMs);
  mesh.pass(90_000);
  expect(mesh.events("prober.silent")).toEqual(["test: no check results from weur"]);
});

test("[M76] after a step back a router that stopped polling is live for three seconds", () => {
  const routers = new Routers();
  routers.start(0);
  routers.recordPoll("r1", 1, 2_000_000);
  routers.followClock(200_000);
  expect(routers.live(202_999)).toEqual(["r1"]);
  expect(routers.live(203_000)).toEqual([]);
  expect(routers.upToDateAtMs(2, 200_000)).toBe(203_000);
});

test("[M76] a suspect from before a step back is probed again", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.service("my-web");
  mesh.work();
  const [task] = mesh.running("my-web");
  const suspect = () => {
    mesh.registry.suspect("r1", [task?.id ?? ""]);
    return mesh.registry.takeEffects().probes.length;
  };
  expect([suspect(), suspect()]).toEqual([1, 0]);
  setClock(mesh, -halfHourMs);
  expect(suspect()).toBe(1);
});

test("[M77] a link that was used stays used, whatever the clock does", () => {
  const mesh = new TestMesh();
  const untilMs = mesh.nowMs + 900_000;
  expect(mesh.registry.redeem("link", untilMs)).toBe(true);
  setClock(mesh, halfHourMs);
  expect(mesh.registry.redeem("another", mesh.nowMs + 900_000)).toBe(true);
  setClock(mesh, -halfHourMs);
  expect(mesh.registry.redeem("link", untilMs)).toBe(false);
});

function versionOf(mesh: TestMesh): number {
  const service = mesh.registry.service("my-web");
  return service.ok ? service.value.version : 0;
}
