import fc from "fast-check";
import { expect, test } from "vitest";
import { type Health, observe, startingHealth } from "../../../../src/domain/model/health.ts";

test("[H1] the verdict changes only after as many equal results in a row as the policy requires", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 60, size: "max" }),
      fc.record({ rise: fc.integer({ min: 1, max: 5 }), fall: fc.integer({ min: 1, max: 5 }) }),
      (results, policy) => {
        let health: Health = startingHealth(0);
        for (const [at, ok] of results.entries()) {
          const before = health;
          health = observe(health, { ok, atMs: at + 1, text: "" }, policy);
          const needed = ok ? policy.rise : policy.fall;
          const row = results.slice(Math.max(0, at + 1 - needed), at + 1);
          const reached = row.length === needed && row.every((result) => result === ok);
          expect(health.verdict).toBe(reached ? (ok ? "healthy" : "unhealthy") : before.verdict);
          expect(health.sinceMs).toBe(health.verdict === before.verdict ? before.sinceMs : at + 1);
        }
      },
    ),
  );
});
