import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { DescriptorBudget } from "../../../src/local/descriptor-budget.ts";
import { RuntimeDescriptors } from "../../../src/local/runtime-descriptors.ts";

/** A budget for `count` descriptors of listeners, connections and requests. */
function budgetFor(count: number): DescriptorBudget {
  return new DescriptorBudget(300 + count);
}

function connectAll(budget: DescriptorBudget, names: readonly string[]): { ended: string[]; keys: object[] } {
  const ended: string[] = [];
  const keys = names.map((name) => {
    const key = {};
    expect(budget.connect(key, () => ended.push(name))).toBe(true);
    return key;
  });
  return { ended, keys };
}

test("[U79] a request takes the place of the connection that has been idle for longest", () => {
  const budget = budgetFor(10);
  const names = Array.from({ length: 10 }, (_, index) => `c${index}`);
  const { ended, keys } = connectAll(budget, names);
  expect([budget.begin(keys[0] ?? {}, 0), ended]).toEqual([true, ["c1"]]);
  expect([budget.begin(keys[9] ?? {}, 0), ended]).toEqual([true, ["c1", "c2"]]);
});

test("[U79] an open listener takes the place of a connection", () => {
  const budget = budgetFor(10);
  for (let count = 0; count < 8; count += 1) budget.openListener();
  const { ended } = connectAll(budget, ["c0", "c1", "c2"]);
  expect(ended).toEqual(["c0"]);
  budget.closeListener();
  expect(connectAll(budget, ["c3"]).ended).toEqual([]);
  expect(ended).toEqual(["c0"]);
});

const isLinux = process.platform === "linux";
const skipped = isLinux ? "" : " (skipped: only Linux counts descriptors in /proc)";

/** The descriptors of a runtime, as which this process serves, with room for `requests`. */
function runtimeWithRoomFor(requests: number): RuntimeDescriptors {
  const open = readdirSync("/proc/self/fd").length;
  // Of which requests fill nine tenths.
  const runtime = new RuntimeDescriptors((open + (requests + 0.5) * 5) / 0.9);
  runtime.watch(process.pid);
  return runtime;
}

test.skipIf(!isLinux)(
  `[U87] a request that the runtime may have no descriptors for is refused until they are free${skipped}`,
  () => {
    const runtime = runtimeWithRoomFor(3);
    const begin = (nowMs: number, open: number): boolean => runtime.begin(nowMs, () => open);
    expect([1, 2, 3, 4].map(() => begin(0, 0))).toEqual([true, true, true, false]);
    // Counted again, the three requests have opened nothing.
    expect(begin(5_000, 0)).toBe(true);
  },
);

test.skipIf(!isLinux)(
  `[U87] what a request that has just begun will open is expected besides what was counted${skipped}`,
  () => {
    const runtime = runtimeWithRoomFor(3);
    expect(runtime.begin(0, (sinceMs) => (sinceMs <= -1_000 ? 3 : 0))).toBe(false);
    expect(runtime.begin(5_000, (sinceMs) => (sinceMs <= 4_000 ? 2 : 0))).toBe(true);
  },
);

test("[U87] a runtime whose descriptors cannot be counted is refused no request", () => {
  const runtime = new RuntimeDescriptors(10);
  // No process has this id.
  runtime.watch(2 ** 30);
  expect([runtime.begin(0, () => 0), runtime.begin(0, () => 0)]).toEqual([true, true]);
});
