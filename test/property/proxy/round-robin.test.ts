import fc from "fast-check";
import { expect, test } from "vitest";
import { Cursors, nextAfter } from "../../../src/proxy/routing/cursors.ts";

const members = ["a", "b", "c", "d", "e", "f", "g", "h"];
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant("pick" as const) },
    { weight: 1, arbitrary: fc.constantFrom(...members) },
  ),
  { maxLength: 200, size: "max" },
);

test("[B1] picks of permanent members differ by at most one over any stretch, whatever members join and leave", () => {
  fc.assert(
    fc.property(fc.subarray(members, { minLength: 2, maxLength: 4 }), steps, (permanent, script) => {
      const present = new Set(permanent);
      const picks: string[] = [];
      let last: string | undefined;
      for (const action of script) {
        if (action !== "pick") {
          if (permanent.includes(action)) continue;
          if (!present.delete(action)) present.add(action);
          continue;
        }
        const keys = [...present].sort();
        last = keys[last === undefined ? 0 : nextAfter(keys, last)];
        if (last !== undefined) picks.push(last);
      }
      // Over any stretch, the difference between two members' running counts varies by at most one.
      for (const a of permanent) {
        for (const b of permanent) {
          const ahead = picks.map(
            (_, at) => count(picks.slice(0, at + 1), a) - count(picks.slice(0, at + 1), b),
          );
          expect(Math.max(0, ...ahead) - Math.min(0, ...ahead)).toBeLessThanOrEqual(1);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("[B2] the next member is the first one after the last one picked, cyclically", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.string(), (list, last) => {
      const keys = [...list].sort((a, b) => (a < b ? -1 : 1));
      const after = keys.findIndex((key) => key > last);
      expect(nextAfter(keys, last)).toBe(Math.max(after, 0));
    }),
  );
});

test("[B3] without members there is no pick", () => {
  const cursors = new Cursors(() => 0);
  expect(cursors.next("c", [])).toBe(-1);
  cursors.next("c", ["a"]);
  expect(cursors.next("c", [])).toBe(-1);
});

function count(picks: readonly string[], member: string): number {
  return picks.filter((pick) => pick === member).length;
}
