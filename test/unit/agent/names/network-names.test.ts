// How often questions from addresses that are not known yet cause a node to look at its containers.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { spaced } from "../../../../src/agent/names/network-names.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("[N462] looks start at most once in 250 ms, and each call waits for one that starts after it", async () => {
  let [started, answered] = [0, 0];
  const look = spaced(async () => {
    started += 1;
  }, 250);
  const ask = () => look().then(() => (answered += 1));
  for (let count = 0; count < 100; count++) void ask();
  await vi.advanceTimersByTimeAsync(10);
  expect([started, answered]).toEqual([1, 100]);
  for (let at = 0; at < 1_000; at += 10) {
    void ask();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(started).toBe(5);
  await vi.advanceTimersByTimeAsync(250);
  expect([started, answered]).toEqual([6, 200]);
});
