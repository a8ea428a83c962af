import { expect, test } from "vitest";
import { FrozenDetector } from "../../../../src/proxy/resilience/frozen-detector.ts";

const frozenMs = 3_000;

test("[Y21] a task is frozen once its watched attempt and the request itself have waited for 3 s", () => {
  const detector = new FrozenDetector();
  expect(detector.isFrozen("a", 0, 10_000, frozenMs, 0)).toBe(false);
  expect(detector.watch("a", 1_000, 1_100)).toBe(true);
  expect(detector.isFrozen("a", 0, 3_999, frozenMs, 0)).toBe(false);
  expect(detector.isFrozen("a", 0, 4_000, frozenMs, 0)).toBe(true);
  expect(detector.isFrozen("a", 2_000, 4_999, frozenMs, 0)).toBe(false);
  expect(detector.isFrozen("a", 2_000, 5_000, frozenMs, 0)).toBe(true);
  expect(detector.isFrozen("b", 0, 5_000, frozenMs, 0)).toBe(false);
});

test("[Y21] one response, however late, ends that, and a new watched attempt counts from its sending", () => {
  const detector = new FrozenDetector();
  detector.watch("a", 0, 100);
  detector.responded("a");
  expect([detector.hasAny, detector.isFrozen("a", 0, 9_000, frozenMs, 0)]).toEqual([false, false]);
  detector.watch("a", 9_000, 9_100);
  expect(detector.isFrozen("a", 0, 11_999, frozenMs, 0)).toBe(false);
});

test("[Y21] a slow service's task is frozen only after four times the service's p99", () => {
  const detector = new FrozenDetector();
  detector.watch("a", 0, 100);
  expect(detector.isFrozen("a", 0, 7_999, frozenMs, 2_000)).toBe(false);
  expect(detector.isFrozen("a", 0, 8_000, frozenMs, 2_000)).toBe(true);
});

test("[Y21] a task has one watched attempt at a time, valid for 30 s", () => {
  const detector = new FrozenDetector();
  expect(detector.watch("a", 0, 100)).toBe(true);
  expect(detector.watch("a", 200, 300)).toBe(false);
  expect(detector.watch("b", 200, 300)).toBe(true);
  expect(detector.isFrozen("a", 0, 30_300, frozenMs, 0)).toBe(false);
  expect(detector.watch("a", 30_250, 30_300)).toBe(true);
});
