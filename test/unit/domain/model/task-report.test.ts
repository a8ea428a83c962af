import { expect, test } from "vitest";
import { applyReport, type TaskObservation } from "../../../../src/domain/model/task-report.ts";
import { aService, aTask, healthy, now } from "../../../support/world.ts";

const task = aTask(aService());
const unchanged: TaskObservation = { ...task, state: "running", atMs: now };

test("[T5] endpoints and health of a running task follow the reports", () => {
  const health = { ...healthy, verdict: "unhealthy" as const, lastCheck: "L7STS/503 in 2ms" };
  expect(applyReport(task, { ...unchanged, health })).toEqual({ ...task, health, version: task.version + 1 });
  const endpoints = [{ target: 80, origin: "http://127.0.0.2:50000" }];
  expect(applyReport(task, { ...unchanged, endpoints })).toEqual({
    ...task,
    endpoints,
    version: task.version + 1,
  });
});

test("[T6] a late report of an earlier state is ignored, including its health", () => {
  expect(applyReport(task, { ...unchanged, state: "starting", health: null, endpoints: [] })).toBe(task);
});

test("[T7] no report changes a task's desired state or its node", () => {
  const stopping = { ...task, desired: "shutdown" as const };
  expect(applyReport(stopping, { ...unchanged, state: "shutdown" })).toMatchObject({
    desired: "shutdown",
    nodeId: task.nodeId,
    runHash: task.runHash,
    state: "shutdown",
    stateSinceMs: now,
  });
});

test("[T8] a task's run time is measured by the registry's clock, not by its agent's", () => {
  const starting = { ...task, state: "starting" as const };
  const running = applyReport(starting, { ...unchanged, atMs: 7 }, now);
  expect(running).toMatchObject({ stateSinceMs: 7, ranSinceMs: now });
  expect(running.endedAtMs).toBeUndefined();
  const dead = applyReport(running, { ...unchanged, state: "failed", atMs: 9 }, now + 5_000);
  expect(dead).toMatchObject({ stateSinceMs: 9, ranSinceMs: now, endedAtMs: now + 5_000 });
  expect(applyReport(starting, { ...unchanged, state: "failed" }, now).ranSinceMs).toBeUndefined();
});
