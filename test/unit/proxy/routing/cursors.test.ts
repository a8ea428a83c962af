import fc from "fast-check";
import { expect, test } from "vitest";
import { Cursors } from "../../../../src/proxy/routing/cursors.ts";

test("[X6] shares of permanent members differ by at most one while others join and leave", () => {
  const permanent = ["c", "g", "k", "p"];
  const temporary = fc.subarray(["a", "d", "h", "m", "z"]);
  fc.assert(
    fc.property(
      fc.array(temporary, { minLength: 1, maxLength: 60 }),
      fc.double({ min: 0, max: 0.999 }),
      (rounds, random) => {
        const cursors = new Cursors(() => random);
        const picks = new Map(permanent.map((key) => [key, 0]));
        for (const present of rounds) {
          const keys = [...permanent, ...present].toSorted();
          const key = keys[cursors.next("round", keys)] ?? "";
          if (picks.has(key)) picks.set(key, (picks.get(key) ?? 0) + 1);
        }
        const counts = [...picks.values()];
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test("[X6] cursors are independent and start at a random member", () => {
  const keys = ["a", "b", "c"];
  const cursors = new Cursors(() => 0.5);
  const picks = ["one", "two", "one", "two", "one"].map((name) => keys[cursors.next(name, keys)]);
  expect(picks).toEqual(["b", "b", "c", "c", "a"]);
});

test("[X12] a skipped member is not picked; if all are skipped, the pick is -1", () => {
  const keys = ["a", "b", "c"];
  const cursors = new Cursors(() => 0);
  const picks = Array.from({ length: 4 }, () => keys[cursors.next("round", keys, (key) => key === "b")]);
  expect(picks).toEqual(["a", "c", "a", "c"]);
  expect(cursors.next("round", keys, () => true)).toBe(-1);
  expect(cursors.next("round", [])).toBe(-1);
});
