import fc from "fast-check";
import { expect, test } from "vitest";
import { isAlive, taskStates } from "../../../../src/domain/model/task.ts";
import { applyReport, type TaskObservation } from "../../../../src/domain/model/task-report.ts";
import { aService, aTask, healthy } from "../../../support/world.ts";

const observation: fc.Arbitrary<TaskObservation> = fc.record({
  id: fc.constant("t"),
  state: fc.constantFrom(
    ...(["assigned", "accepted", "preparing", "ready", "starting", "running", "running"] as const),
    ...(["complete", "shutdown", "failed", "rejected"] as const),
  ),
  message: fc.constantFrom("started", "starting"),
  err: fc.constantFrom("", "task: non-zero exit (1)"),
  atMs: fc.nat(1_000),
  endpoints: fc.constantFrom([], [{ target: 80, origin: "http://127.0.0.2:40001" }]),
  health: fc.constantFrom(null, healthy, { ...healthy, verdict: "unhealthy" as const }),
  pid: fc.constantFrom(null, 42),
  exitCode: fc.constantFrom(null, 0, 1),
});

const reports = fc.array(observation, { maxLength: 30, size: "max" });
const fresh = aTask(aService(), { state: "assigned", endpoints: [], health: null, pid: null });

test("[T1] a task's state never goes back, in whatever order reports come", () => {
  fc.assert(
    fc.property(reports, (observations) => {
      observations.reduce((task, observed) => {
        const next = applyReport(task, observed);
        expect(taskStates[next.state]).toBeGreaterThanOrEqual(taskStates[task.state]);
        return next;
      }, fresh);
    }),
  );
});

test("[T2] a dead task never changes", () => {
  fc.assert(
    fc.property(reports, (observations) => {
      observations.reduce((task, observed) => {
        const next = applyReport(task, observed);
        if (!isAlive(task)) expect(next).toBe(task);
        return next;
      }, fresh);
    }),
  );
});

test("[T3] a repeated report changes nothing and returns the same reference", () => {
  fc.assert(
    fc.property(reports, (observations) => {
      const task = observations.reduce(applyReport, fresh);
      const last = observations.at(-1);
      if (last !== undefined) expect(applyReport(task, last)).toBe(task);
    }),
  );
});

test("[T4] every change raises the version by one, and only a new state changes its time", () => {
  fc.assert(
    fc.property(reports, (observations) => {
      observations.reduce((task, observed) => {
        const next = applyReport(task, observed);
        expect(next.version).toBe(next === task ? task.version : task.version + 1);
        if (next.state === task.state) expect(next.stateSinceMs).toBe(task.stateSinceMs);
        else expect(next.stateSinceMs).toBe(observed.atMs);
        return next;
      }, fresh);
    }),
  );
});
