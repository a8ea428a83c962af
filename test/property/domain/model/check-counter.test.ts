import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type CheckCount,
  countCheck,
  counterOf,
  countResult,
  initialCounter,
  isUp,
} from "../../../../src/domain/model/check-counter.ts";
import {
  combineRegions,
  initialServerHealth,
  type RegionHealth,
} from "../../../../src/domain/model/server-health.ts";

const riseFall = fc.record({ rise: fc.integer({ min: 1, max: 6 }), fall: fc.integer({ min: 1, max: 6 }) });

test("[F1] a server goes down after fall failures in a row and up after rise passes in a row; a new one at its first failure", () => {
  fc.assert(
    fc.property(riseFall, fc.array(fc.boolean(), { maxLength: 80, size: "max" }), (check, results) => {
      let counter = initialCounter(check);
      // The reference: a state and a count of results against it.
      let up = true;
      let against = check.fall - 1;
      for (const passed of results) {
        counter = countCheck(counter, passed, check);
        against = passed === up ? 0 : against + 1;
        if (against >= (up ? check.fall : check.rise)) {
          up = !up;
          against = 0;
        }
        expect(isUp(counter, check)).toBe(up);
        expect(counter).toBe(up ? check.rise + check.fall - 1 - against : against);
      }
    }),
  );
});

test("[F1] [H1] a server's counter and a task's verdict with its streak change at the same results", () => {
  fc.assert(
    fc.property(riseFall, fc.array(fc.boolean(), { maxLength: 80, size: "max" }), (policy, results) => {
      let count: CheckCount = { verdict: "healthy", streak: { ok: true, length: policy.rise } };
      let counter = counterOf(count, policy);
      for (const ok of results) {
        count = countResult(count, ok, policy);
        counter = countCheck(counter, ok, policy);
        expect(counterOf(count, policy)).toBe(counter);
        expect(isUp(counter, policy)).toBe(count.verdict === "healthy");
      }
    }),
  );
});

test("[F5] a server is up if more than half of the live regions find it up, and an even split changes nothing", () => {
  fc.assert(
    fc.property(
      riseFall,
      fc.array(fc.record({ up: fc.boolean(), isLive: fc.boolean() }), { maxLength: 7 }),
      fc.boolean(),
      (check, regions, wasUp) => {
        const reported: Record<string, RegionHealth> = Object.fromEntries(
          regions.map(({ up }, index) => [
            `r${index}`,
            { counter: up ? check.rise : 0, fails: 0, last: null },
          ]),
        );
        const live = new Set(regions.flatMap(({ isLive }, index) => (isLive ? [`r${index}`] : [])));
        const before = { ...initialServerHealth(check, 0), up: wasUp };
        const after = combineRegions(before, reported, live, check, 1_000);
        const ups = regions.filter(({ up, isLive }) => isLive && up).length;
        const downs = live.size - ups;
        expect(after.up).toBe(ups === downs ? wasUp : ups > downs);
      },
    ),
  );
});
