import fc from "fast-check";
import { expect, test } from "vitest";
import { reconcileTasks, type TaskPhase } from "../../../src/agent/reconcile-tasks.ts";
import { Tasks } from "../../../src/agent/tasks.ts";
import { taskStates } from "../../../src/domain/model/task.ts";
import type { AssignedTask } from "../../../src/protocol/agent.ts";
import { assignedTask, taskId } from "../../support/fake-registry.ts";
import { FakeRuntime, FakeTime } from "../../support/fake-runtime.ts";

const names = ["a", "b", "c", "d"] as const;
const desired = fc.constantFrom<AssignedTask["desired"][]>("running", "running", "shutdown", "remove");
const assignment = fc
  .subarray([...names])
  .chain((subset) =>
    fc.tuple(
      ...subset.map((name) =>
        fc
          .record({ desired, released: fc.boolean() })
          .map((fields): AssignedTask => ({ ...assignedTask(name), ...fields })),
      ),
    ),
  );
const phase = fc.constantFrom<TaskPhase[]>("alive", "stopping", "ended");
const known = fc
  .dictionary(fc.constantFrom(...names), phase)
  .map((phases) => new Map(Object.entries(phases).map(([name, value]) => [taskId(name), value])));

test("[N23] after all actions of reconcileTasks, there are no further ones", () => {
  fc.assert(
    fc.property(assignment, known, fc.boolean(), (tasks, phases, mayStart) => {
      const after = new Map(phases);
      for (const action of reconcileTasks(tasks, phases, mayStart)) {
        if (action.kind === "start") after.set(action.task.id, "alive");
        if (action.kind === "decline") after.set(action.task.id, "ended");
        if (action.kind === "stop") after.set(action.id, "stopping");
        if (action.kind === "forget") after.delete(action.id);
      }
      expect(reconcileTasks(tasks, after, mayStart)).toEqual([]);
      const mustRun = tasks.filter((task) => task.desired === "running" || !task.released);
      const runningIds = new Set(mustRun.map(({ id }) => id));
      for (const [id, value] of after) if (value === "alive") expect(runningIds).toContain(id);
    }),
  );
});

type Step =
  | { readonly kind: "assign"; readonly tasks: AssignedTask[]; readonly mayStart: boolean }
  | { readonly kind: "exit"; readonly index: number; readonly isPortTaken: boolean }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "current"; readonly value: boolean }
  | { readonly kind: "healthy"; readonly value: boolean };

const step = fc.oneof<fc.Arbitrary<Step>[]>(
  fc.record({ kind: fc.constant("assign"), tasks: assignment, mayStart: fc.boolean() }),
  fc.record({ kind: fc.constant("exit"), index: fc.nat(8), isPortTaken: fc.boolean() }),
  fc.record({ kind: fc.constant("pass"), ms: fc.constantFrom(0, 50, 250, 3_000, 20_000) }),
  fc.record({ kind: fc.constant("current"), value: fc.boolean() }),
  fc.record({ kind: fc.constant("healthy"), value: fc.boolean() }),
);

test("[N36] under any assignments and exits, a task never has two processes, and its state only goes forward", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), async (steps, endsOnStopSignal) => {
      const world = newWorld(endsOnStopSignal);
      for (const current of steps) {
        await perform(world, current);
        expectOneProcessEach(world);
      }
      await perform(world, { kind: "assign", tasks: [], mayStart: true });
      await world.time.pass(60_000);
      expect(world.runtime.running).toEqual([]);
      expect(world.tasks.reports("node")).toEqual([]);
    }),
    { numRuns: 200 },
  );
}, 60_000);

test("[V11] a task to be stopped keeps running until it is released, then stops after the drain delay", async () => {
  const world = newWorld(true);
  const assign = (fields: Partial<AssignedTask>) =>
    perform(world, { kind: "assign", tasks: [{ ...assignedTask("a"), ...fields }], mayStart: true });
  await assign({});
  await world.time.pass(1_000);
  await assign({ desired: "shutdown", released: false });
  await world.time.pass(600_000);
  expect(world.runtime.running).toHaveLength(1);
  expect(world.tasks.hasUnreleased()).toBe(true);
  await assign({ desired: "shutdown" });
  expect(world.tasks.hasUnreleased()).toBe(false);
  await world.time.pass(499);
  expect(world.runtime.running).toHaveLength(1);
  await world.time.pass(1);
  expect(world.runtime.running).toEqual([]);
});

type World = ReturnType<typeof newWorld>;

function newWorld(endsOnStopSignal: boolean) {
  const time = new FakeTime();
  const runtime = new FakeRuntime();
  runtime.endsOnStopSignal = endsOnStopSignal;
  const state = { isCurrent: true, isHealthy: true };
  const furthest = new Map<string, number>();
  const tasks: Tasks = new Tasks({
    runtime,
    prober: async () => ({ ok: state.isHealthy, text: "L4OK in 0ms" }),
    nowMs: () => time.nowMs,
    wait: time.wait,
    isCurrent: () => state.isCurrent,
    whenIdle: () => Promise.resolve(),
    openNames: async () => null,
    files: { place: async () => ({ ok: true, files: [] }), remove: () => {}, sweep: () => {} },
    records: {
      all: () => [],
      save: () => {},
      retire: ({ id }) => furthest.delete(id),
      removeExpired: () => [],
      ids: () => new Set(),
    },
    onChange: (id) => {
      const rank = taskStates[tasks.report("node", id)?.state ?? "assigned"];
      expect(rank).toBeGreaterThanOrEqual(furthest.get(id) ?? 0);
      furthest.set(id, rank);
    },
    log: () => {},
  });
  return { time, runtime, state, tasks };
}

async function perform({ time, runtime, state, tasks }: World, action: Step): Promise<void> {
  if (action.kind === "assign") {
    const node = { id: "node", name: "node1" };
    tasks.apply(
      { node, nowMs: 0, gatewayKeys: [], tunnel: false, drainDelayMs: 500, tasks: action.tasks },
      action.mayStart,
    );
  }
  if (action.kind === "exit")
    runtime.running[action.index]?.end({ code: 1, isPortTaken: action.isPortTaken });
  if (action.kind === "current") state.isCurrent = action.value;
  if (action.kind === "healthy") state.isHealthy = action.value;
  await time.pass(action.kind === "pass" ? action.ms : 0);
}

function expectOneProcessEach({ runtime }: World): void {
  const ids = runtime.running.map(({ task }) => task.id);
  expect(ids).toEqual([...new Set(ids)]);
}
