import fc from "fast-check";
import { expect, test } from "vitest";
import { Budget, retryBudget } from "../../../src/proxy/resilience/budget.ts";

test("[Y2] extra attempts stay within a share of the last ten seconds' requests, or the minimum", () => {
  const step = fc.record({ afterMs: fc.nat(400), take: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.nat(1_000_000), (steps, startMs) => {
      const budget = new Budget(retryBudget);
      const requests: number[] = [];
      const extras: number[] = [];
      let nowMs = startMs;
      for (const { afterMs, take } of steps) {
        nowMs += afterMs;
        if (!take) {
          budget.recordRequest(nowMs);
          requests.push(nowMs);
        } else if (budget.take(nowMs)) {
          extras.push(nowMs);
          const second = Math.floor(nowMs / 1_000);
          const thisSecond = extras.filter((atMs) => Math.floor(atMs / 1_000) === second).length;
          const recent = (times: readonly number[]) =>
            times.filter((atMs) => Math.floor(atMs / 1_000) > second - 10).length;
          expect(
            thisSecond <= retryBudget.perSecond || recent(extras) - 1 < retryBudget.ratio * recent(requests),
          ).toBe(true);
        }
      }
    }),
  );
});

test("[Y2] a service without recent requests has the minimum of extra attempts", () => {
  const budget = new Budget(retryBudget);
  expect([1, 2, 3, 4].map(() => budget.take(5_000))).toEqual([true, true, true, false]);
  expect(budget.take(6_000)).toBe(true);
});
