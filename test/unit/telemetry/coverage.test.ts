import { expect, test } from "vitest";
import { coverageOf } from "../../../src/telemetry/coverage.ts";
import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { delta, entryDelta } from "./deltas.ts";

const nowMs = 1_700_000_000_000;
const agoMs = (...ages: readonly number[]) => ages.map((age) => ({ coveredMs: nowMs - age }));

test("[J416] rates are of the average time that reports cover, and complete is what all of them cover", () => {
  expect(coverageOf(agoMs(10_000, 30_000), nowMs, false)).toEqual({
    readMs: nowMs - 20_000,
    completeMs: nowMs - 30_000,
  });
  expect(coverageOf([], nowMs, false)).toEqual({ readMs: nowMs, completeMs: nowMs });
});

test("[J416] an isolate that should have reported had no requests, and one of an earlier release does not say", () => {
  expect(coverageOf(agoMs(55_000), nowMs, false).completeMs).toBe(nowMs);
  expect(coverageOf([{ coveredMs: null }], nowMs, false).completeMs).toBe(nowMs);
  expect(coverageOf(agoMs(30_000, 1_000), nowMs, true)).toEqual({
    readMs: nowMs - 1_000,
    completeMs: nowMs - 1_000,
  });
});

test("[J416] three seconds after a live read began, what was not reported is no longer waited for", () => {
  let clockMs = nowMs;
  const telemetry = new Telemetry(memoryDatabase(), () => clockMs);
  const times = { takenMs: nowMs, slicesMs: [5_000] };
  telemetry.count(delta(1, { times, entries: [entryDelta({ requests: 50 })] }), nowMs);
  clockMs += 20_000;
  expect(telemetry.noteLiveRead()).toBe(true);
  const ages = () => {
    const { atMs, completeMs, services } = telemetry.snapshot({ live: true });
    return [atMs - completeMs, services[0]?.recent?.requests];
  };
  expect(ages()).toEqual([20_000, 50]);
  clockMs += 3_000;
  expect(ages()).toEqual([0, 0]);
});
