import fc from "fast-check";
import { expect, test } from "vitest";
import { Outliers } from "../../../src/proxy/resilience/outliers.ts";

const tasks = ["a", "b", "c", "d", "e"];

test("[Y4] at most half of a service's tasks are ejected, and never all for a request that cannot be repeated", () => {
  const step = fc.record({
    afterMs: fc.nat(3_000),
    task: fc.constantFrom(...tasks),
    event: fc.constantFrom("failed", "slow", "responded", "sent"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.boolean(), (steps, isRepeatable) => {
      const outliers = new Outliers();
      let nowMs = 0;
      for (const { afterMs, task, event } of steps) {
        nowMs += afterMs;
        outliers[event as "failed"](task, nowMs);
        const maxEjected = isRepeatable ? tasks.length / 2 : tasks.length - 1;
        expect(outliers.ejectedAmong(tasks, nowMs, isRepeatable)?.size ?? 0).toBeLessThanOrEqual(maxEjected);
      }
    }),
  );
});

test("[Y3] a failed task is ejected for 2 s, and for twice as long each time in a row, up to a minute", () => {
  const outliers = new Outliers();
  const lengths: number[] = [];
  let nowMs = 0;
  for (let time = 0; time < 7; time++) {
    outliers.failed("a", nowMs);
    const fromMs = nowMs;
    while (outliers.ejectedAmong(tasks, nowMs, true)?.has("a")) nowMs += 100;
    lengths.push((nowMs - fromMs) / 1_000);
    outliers.sent("a", nowMs);
  }
  expect(lengths).toEqual([2, 4, 8, 16, 32, 60, 60]);
});

test("[Y3] after its ejection a task gets one repeatable request, and is healthy if it responds", () => {
  const outliers = new Outliers();
  outliers.failed("a", 0);
  expect(outliers.ejectedAmong(tasks, 2_000, false)).toEqual(new Set(["a"]));
  expect(outliers.ejectedAmong(tasks, 2_000, true)).toBeNull();
  outliers.sent("a", 2_000);
  expect(outliers.ejectedAmong(tasks, 2_001, true)).toEqual(new Set(["a"]));
  outliers.responded("a", 2_010);
  expect(outliers.ejectedAmong(tasks, 2_011, false)).toBeNull();
  expect(outliers.hasAny).toBe(false);
});

test("[Y3] three slow responses in a row eject a task", () => {
  const outliers = new Outliers();
  const slow = (times: number) => {
    for (let time = 0; time < times; time += 1) outliers.slow("a", time);
  };
  slow(2);
  outliers.responded("a", 5);
  slow(2);
  expect(outliers.ejectedAmong(tasks, 5, true)).toBeNull();
  slow(1);
  expect(outliers.ejectedAmong(tasks, 7, true)).toEqual(new Set(["a"]));
});

test("[Y4] if more than half fail, slow tasks are used before those that could not be reached", () => {
  const outliers = new Outliers();
  for (const task of ["a", "b", "c"]) for (let time = 0; time < 5; time += 1) outliers.slow(task, time);
  expect(outliers.ejectedAmong(tasks, 10, true)).toBeNull();
  outliers.failed("d", 10);
  expect(outliers.ejectedAmong(tasks, 11, true)).toEqual(new Set(["d"]));
  // A slow task that then fails counts as unreachable.
  outliers.failed("c", 11);
  expect(outliers.ejectedAmong(tasks, 12, true)).toEqual(new Set(["c", "d"]));
});

test("[Y4] a request that cannot be repeated goes to a dead task only if there is no other", () => {
  const outliers = new Outliers();
  for (const task of ["a", "b", "c", "d"]) outliers.failed(task, 0);
  expect(outliers.ejectedAmong(tasks, 1, true)).toBeNull();
  expect(outliers.ejectedAmong(tasks, 1, false)).toEqual(new Set(["a", "b", "c", "d"]));
  outliers.failed("e", 1);
  expect(outliers.ejectedAmong(tasks, 2, false)).toBeNull();
});

test("[Y4] if more than half fail, all are used", () => {
  const outliers = new Outliers();
  for (const task of ["a", "b", "c"]) outliers.failed(task, 0);
  expect(outliers.ejectedAmong(tasks, 1, true)).toBeNull();
});
