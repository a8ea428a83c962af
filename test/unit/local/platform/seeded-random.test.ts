import { expect, test } from "vitest";
import { pauseMs, seededRandom } from "../../../../src/local/platform/seeded-random.ts";

test("[U435] numbers of a seed are in [0, 1), spread evenly, and the same each time", () => {
  const numbers = Array.from({ length: 10_000 }, seededRandom(42));
  expect(Array.from({ length: 10_000 }, seededRandom(42))).toEqual(numbers);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const share = numbers.filter((number) => Math.floor(number * 10) === tenth).length;
    expect(share).toBeGreaterThan(850);
    expect(share).toBeLessThan(1_150);
  }
});

test("[U435] a pause is half to one and a half times the mean", () => {
  expect(pauseMs(1_000, () => 0)).toBe(500);
  expect(pauseMs(1_000, () => 0.999_999)).toBe(1_500);
});
