import { expect, test } from "vitest";
import { FrozenDetector } from "../../../../src/proxy/resilience/frozen-detector.ts";

const silentMs = 3_000;

test("[Y21] a task is silent once its witness and the request itself have waited for 3 s", () => {
  const silence = new FrozenDetector();
  expect(silence.isFrozen("a", 0, 10_000, silentMs, 0)).toBe(false);
  expect(silence.watch("a", 1_000, 1_100)).toBe(true);
  expect(silence.isFrozen("a", 0, 3_999, silentMs, 0)).toBe(false);
  expect(silence.isFrozen("a", 0, 4_000, silentMs, 0)).toBe(true);
  expect(silence.isFrozen("a", 2_000, 4_999, silentMs, 0)).toBe(false);
  expect(silence.isFrozen("a", 2_000, 5_000, silentMs, 0)).toBe(true);
  expect(silence.isFrozen("b", 0, 5_000, silentMs, 0)).toBe(false);
});

test("[Y21] one answer, however late, ends the silence, and a new witness counts from when it was sent", () => {
  const silence = new FrozenDetector();
  silence.watch("a", 0, 100);
  silence.responded("a");
  expect([silence.hasAny, silence.isFrozen("a", 0, 9_000, silentMs, 0)]).toEqual([false, false]);
  silence.watch("a", 9_000, 9_100);
  expect(silence.isFrozen("a", 0, 11_999, silentMs, 0)).toBe(false);
});

test("[Y21] of a service whose heads take long, silence has to be four times its p99", () => {
  const silence = new FrozenDetector();
  silence.watch("a", 0, 100);
  expect(silence.isFrozen("a", 0, 7_999, silentMs, 2_000)).toBe(false);
  expect(silence.isFrozen("a", 0, 8_000, silentMs, 2_000)).toBe(true);
});

test("[Y21] a task has one witness at a time, believed for 30 s", () => {
  const silence = new FrozenDetector();
  expect(silence.watch("a", 0, 100)).toBe(true);
  expect(silence.watch("a", 200, 300)).toBe(false);
  expect(silence.watch("b", 200, 300)).toBe(true);
  expect(silence.isFrozen("a", 0, 30_300, silentMs, 0)).toBe(false);
  expect(silence.watch("a", 30_250, 30_300)).toBe(true);
});
