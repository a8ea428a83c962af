import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RouterWaits } from "../../../workers/router-waits.ts";

const registry = {
  tableVersion: 7,
  holdRouter: () => {},
  releaseRouter: () => {},
  prepareTable: () => {},
};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Lets `count` routers wait. @returns how many do not wait any more */
function waitingRouters(waits: RouterWaits, count: number, waitMs = 25_000): () => number {
  let ended = 0;
  for (let n = 0; n < count; n += 1) {
    void waits.wait(`router${n}`, waitMs).then(() => {
      ended += 1;
    });
  }
  return () => ended;
}

test("[M194] the first change ends all waits at once, and a further one after 1 ms for each router", async () => {
  const waits = new RouterWaits(registry);
  const first = waitingRouters(waits, 500);
  waits.wakeAll();
  await vi.advanceTimersByTimeAsync(0);
  expect(first()).toBe(500);
  const second = waitingRouters(waits, 500);
  waits.wakeAll();
  waits.wakeAll();
  expect(waits.isPaused).toBe(true);
  await vi.advanceTimersByTimeAsync(499);
  expect(second()).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect([second(), waits.isPaused]).toEqual([500, false]);
  await vi.advanceTimersByTimeAsync(500);
  const third = waitingRouters(waits, 500);
  waits.wakeAll();
  await vi.advanceTimersByTimeAsync(0);
  expect(third()).toBe(500);
});

test("[M194] the pause is 2 s at most, and ends with a clock that is set back", async () => {
  const waits = new RouterWaits(registry);
  waitingRouters(waits, 5_000);
  waits.wakeAll();
  await vi.advanceTimersByTimeAsync(0);
  const second = waitingRouters(waits, 5_000);
  waits.wakeAll();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(second()).toBe(5_000);
  const third = waitingRouters(waits, 5_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  waits.wakeAll();
  await vi.advanceTimersByTimeAsync(0);
  expect(third()).toBe(5_000);
});

test("[M195] a wait ends after 25 s at most, when its client disconnects, and with the next call of its router", async () => {
  const waits = new RouterWaits(registry);
  const long = waitingRouters(waits, 1, 1e9);
  await vi.advanceTimersByTimeAsync(24_999);
  expect(long()).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(long()).toBe(1);
  const client = new AbortController();
  let isEnded = false;
  void waits.wait("machine", 25_000, client.signal).then(() => {
    isEnded = true;
  });
  client.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(isEnded).toBe(true);
  const first = waitingRouters(waits, 1);
  const second = waitingRouters(waits, 1);
  await vi.advanceTimersByTimeAsync(0);
  expect([first(), second()]).toEqual([1, 0]);
});

test("[M195] of more than 20,000 routers, a further one does not wait", async () => {
  const waits = new RouterWaits(registry);
  const ended = waitingRouters(waits, 20_001);
  await vi.advanceTimersByTimeAsync(0);
  expect(ended()).toBe(1);
});

test("[M180] a router waits if its table is the registry's, and for the end of a pause if it has another", async () => {
  const waits = new RouterWaits(registry);
  const call = { routerId: "router1", afterVersion: registry.tableVersion, waitMs: 1_000 };
  const waiting = waits.forNews(call);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toBe(true);
  for (const change of [{ waitMs: 0 }, { afterVersion: -1 }, { afterVersion: 6 }, { afterVersion: 8 }])
    expect(await waits.forNews({ ...call, ...change })).toBe(false);
  waitingRouters(waits, 500);
  waits.wakeAll();
  waits.wakeAll();
  expect(await waits.forNews({ ...call, afterVersion: -1 })).toBe(false);
  const paused = waits.forNews({ ...call, afterVersion: 6 });
  await vi.advanceTimersByTimeAsync(500);
  expect(await paused).toBe(true);
});
