// The parts of the gateway that decide without I/O: the clock, the log of attempts, the counts.

import { expect, test } from "vitest";
import { AttemptClock } from "../../../../src/agent/gateway/attempt-clock.ts";
import { AttemptLog } from "../../../../src/agent/gateway/attempt-log.ts";

const hourMs = 3_600_000;

/** A gateway that started at 0 of the monotonic clock, when both clocks said `epochMs`. */
function clockAt(epochMs: number) {
  const clock = new AttemptClock(0);
  const judge = (issuedMs: number, monotonicMs: number, wallMs: number, registryMs: number | null = null) =>
    clock.judge(issuedMs, { wallMs, registryMs, monotonicMs });
  return { judge, epochMs };
}

test("[O21] an attempt counts 30 s before and after its time, by either clock", () => {
  const { judge } = clockAt(0);
  const nowMs = 10 * hourMs;
  expect(judge(nowMs - 30_000, hourMs, nowMs)).toBe("current");
  expect(judge(nowMs + 30_000, hourMs, nowMs)).toBe("current");
  expect(judge(nowMs - 30_001, hourMs, nowMs)).toBe("outside");
  expect(judge(nowMs + 30_001, hourMs, nowMs)).toBe("outside");
  expect(judge(nowMs + 5 * hourMs, hourMs, nowMs, nowMs + 5 * hourMs)).toBe("current");
  expect(judge(nowMs, hourMs, nowMs, nowMs + 5 * hourMs)).toBe("current");
  expect(judge(nowMs + 2 * hourMs, hourMs, nowMs, nowMs + 5 * hourMs)).toBe("outside");
});

test("[O21] a clock that is set back makes no earlier attempt count", () => {
  const { judge } = clockAt(0);
  expect(judge(10 * hourMs, hourMs, 10 * hourMs)).toBe("current");
  expect(judge(9 * hourMs, hourMs, 9 * hourMs)).toBe("outside");
  // An hour later the clock that was set back says the time of the first attempt again.
  expect(judge(10 * hourMs, 2 * hourMs, 10 * hourMs)).toBe("outside");
  // What is issued now counts by the registry's time.
  expect(judge(10 * hourMs, 2 * hourMs, 10 * hourMs, 10 * hourMs)).toBe("current");
});

test("[O21] a clock that is set forward is followed", () => {
  const { judge } = clockAt(0);
  expect(judge(1_000, 1_000, 1_000)).toBe("current");
  expect(judge(5 * hourMs, 2_000, 5 * hourMs)).toBe("current");
});

test("[O21] an attempt of more than a second before the start is earlier", () => {
  const { judge } = clockAt(0);
  expect(judge(hourMs - 1_000, 0, hourMs)).toBe("current");
  expect(judge(hourMs - 1_001, 0, hourMs)).toBe("earlier");
  expect(judge(hourMs - 1_001, 5_000, hourMs + 5_000)).toBe("earlier");
});

test("[O17] an id is known for at least a minute, and forgotten after two", () => {
  const log = new AttemptLog();
  expect(log.add("a", 0)).toBe(true);
  for (const nowMs of [0, 59_999, 60_000, 60_001]) expect(log.add("a", nowMs)).toBe(false);
  expect(log.add("b", 119_000)).toBe(true);
  expect(log.add("b", 179_000)).toBe(false);
  expect(log.add("a", 300_000)).toBe(true);
  for (let nowMs = 0; nowMs < 100_000_000; nowMs += 100_000) log.add(String(nowMs), 400_000 + nowMs);
  expect(log.size).toBeLessThan(3);
});
