import { expect, test } from "vitest";
import { IsolatePool } from "../../../../src/local/platform/isolate-pool.ts";

const everyMs = 1_000;

/** The isolates of requests that come every 10 ms, as `PLACE-GENERATION`. */
function picks(pool: IsolatePool, fromMs: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const { place, generation } = pool.pick(fromMs + index * 10);
    return `${place}-${generation}`;
  });
}

test("[U434] every isolate gets requests, and the same seed gives the same choices", () => {
  const options = { isolates: 8, evictEveryMs: everyMs, seed: 7 };
  const first = picks(new IsolatePool(options, 0), 0, 1_000);
  expect(new Set(first.map((id) => id.split("-")[0])).size).toBe(8);
  expect(picks(new IsolatePool(options, 0), 0, 1_000)).toEqual(first);
  expect(picks(new IsolatePool({ ...options, seed: 8 }, 0), 0, 1_000)).not.toEqual(first);
});

test("[U434] isolates are in data centers of their own", () => {
  const pool = new IsolatePool({ isolates: 8, evictEveryMs: 0, seed: 1 }, 0);
  const colos = new Set(Array.from({ length: 500 }, () => pool.pick(0).colo));
  expect(colos.size).toBe(8);
  for (const colo of colos) expect(colo).toMatch(/^[A-Z]{3}$/);
});

test("[U435] an isolate is evicted about every interval, one at a time, and never used again", () => {
  const pool = new IsolatePool({ isolates: 3, evictEveryMs: everyMs, seed: 3 }, 0);
  const ids = picks(pool, 0, 10_000);
  expect(pool.evictions).toBeGreaterThan(100 * 0.7);
  expect(pool.evictions).toBeLessThan(100 * 1.3);
  for (const place of ["0", "1", "2"]) {
    const generations = ids.filter((id) => id.startsWith(place)).map((id) => Number(id.split("-")[1]));
    expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  }
});

test("[U435] after a quiet hour one isolate is evicted, and none without an interval", () => {
  const pool = new IsolatePool({ isolates: 3, evictEveryMs: everyMs, seed: 3 }, 0);
  pool.pick(3_600_000);
  expect(pool.evictions).toBe(1);
  const steady = new IsolatePool({ isolates: 3, evictEveryMs: 0, seed: 3 }, 0);
  steady.pick(3_600_000);
  expect(steady.evictions).toBe(0);
});
