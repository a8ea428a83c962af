import { expect, test } from "vitest";
import { type EndedTask, expiredTasks } from "../../../src/agent/ended-tasks.ts";

const minuteMs = 60_000;
const nowMs = 100 * 60 * minuteMs;

/** A task of slot 1 of service `web` that ended `minutes` ago. */
function ended(id: string, minutes: number, changes: Partial<EndedTask> = {}): EndedTask {
  const endedAtMs = nowMs - minutes * minuteMs;
  return { id, service: "web", slot: 1, endedAtMs, removedAtMs: null, ...changes };
}

function expiredIds(tasks: readonly EndedTask[], servicesHere: readonly string[] | null): readonly string[] {
  const here = servicesHere === null ? null : new Set(servicesHere);
  return expiredTasks(tasks, here, nowMs).map(({ id }) => id);
}

test("[N32] the three newest ended tasks of a slot are kept while their service has a task here", () => {
  const tasks = [ended("e", 5_000), ended("d", 4), ended("c", 3), ended("b", 2), ended("a", 1)];
  const other = ended("x", 9_000, { slot: 2 });
  expect(expiredIds([...tasks, other], ["web"])).toEqual(["e", "d"]);
});

test("[N32] of tasks that ended at the same time, as many are kept", () => {
  expect(
    expiredIds(
      ["a", "b", "c", "d"].map((id) => ended(id, 1)),
      ["web"],
    ),
  ).toEqual(["a"]);
});

test("[N64] the folders of a removed service go 30 s after it ended here, those of its earlier tasks too", () => {
  const removed = (removedAtMs: number) => [ended("a", 5), ended("b", 1, { removedAtMs })];
  expect(expiredIds(removed(nowMs - 29_999), [])).toEqual([]);
  expect(expiredIds(removed(nowMs - 30_000), [])).toEqual(["a", "b"]);
});

test("[N64] a removed slot takes only its own task, while the service has others here", () => {
  const tasks = [ended("a", 5), ended("b", 1, { slot: 2, removedAtMs: nowMs - 30_000 })];
  expect(expiredIds(tasks, ["web"])).toEqual(["b"]);
});

test("[N64] tasks of a service that has no task here are kept for an hour", () => {
  const tasks = [ended("a", 59), ended("b", 60)];
  expect(expiredIds(tasks, ["api"])).toEqual(["b"]);
  expect(expiredIds(tasks, ["web"])).toEqual([]);
});

test("[N64] before the first assignment only removed tasks and all but three of a slot go", () => {
  const tasks = [ended("a", 9_000), ended("b", 1, { slot: 2, removedAtMs: nowMs - 30_000 })];
  expect(expiredIds(tasks, null)).toEqual(["b"]);
});
