import { expect, test } from "vitest";
import { noticeMs, TelemetryWatch, watchMs } from "../../../src/telemetry/watch.ts";

const startMs = 1_700_000_000_000;

test("[J411] a live read begins a watch, which ends 15 s after the last one", () => {
  const watch = new TelemetryWatch();
  expect(watch.isWatched(startMs)).toBe(false);
  expect(watch.read(startMs)).toBe(true);
  expect(watch.isWatched(startMs + watchMs - 1)).toBe(true);
  watch.read(startMs + 10_000);
  expect(watch.watchedForMs(startMs + 20_000)).toBe(20_000);
  expect(watch.isWatched(startMs + 10_000 + watchMs)).toBe(false);
  expect(watch.watchedForMs(startMs + 10_000 + watchMs)).toBe(0);
});

test("[J411] the registry is notified when a watch begins, and before it forgets the last notice", () => {
  const watch = new TelemetryWatch();
  const notices = Array.from({ length: 31 }, (_, at) => at * 2_000).filter((ms) => watch.read(startMs + ms));
  expect(notices).toEqual([0, noticeMs / 2, noticeMs]);
  const againMs = startMs + 60_000 + watchMs;
  expect(watch.read(againMs)).toBe(true);
});

test("[J411] a clock that is set back begins the watch again", () => {
  const watch = new TelemetryWatch();
  watch.read(startMs);
  expect(watch.isWatched(startMs - 3_600_000)).toBe(false);
  expect(watch.read(startMs - 3_600_000)).toBe(true);
});
