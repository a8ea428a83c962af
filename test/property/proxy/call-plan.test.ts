// When a router calls, for any state of it.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type LinkState,
  maxRestingRequests,
  nextStep,
  restMs,
  youngMs,
} from "../../../src/proxy/link/call-plan.ts";
import { flushIntervalMs } from "../../../src/telemetry/flusher.ts";

const nowMs = 1_000_000_000;
const agoMs = fc.oneof(
  fc.integer({ min: 0, max: 60_000 }),
  fc.integer({ min: 0, max: 3 * restMs }),
  fc.constant(Number.POSITIVE_INFINITY),
);
const pastMs = agoMs.map((ms) => nowMs - ms);

/** A quiet router between two calls. */
const quiet: fc.Arbitrary<LinkState> = fc.record({
  calledMs: pastMs,
  callUntilMs: fc.constant(null),
  firstMs: fc.option(
    fc.integer({ min: 0, max: 2 * restMs }).map((ms) => nowMs - ms),
    { nil: null },
  ),
  unreported: fc.integer({ min: 0, max: 2 * maxRestingRequests }),
  bornMs: pastMs,
  jitter: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  isConfirmed: fc.boolean(),
  hasGauges: fc.boolean(),
  hasServers: fc.boolean(),
  notBeforeMs: fc.constant(Number.NEGATIVE_INFINITY),
  windowMs: pastMs,
  windowRequests: fc.integer({ min: 0, max: 9 }),
  previousRequests: fc.integer({ min: 0, max: 9 }),
  isExpired: fc.constant(false),
  isWatched: fc.boolean(),
  canWait: fc.boolean(),
});

/** One that rests. */
const resting = quiet.map((state) => ({
  ...state,
  unreported: state.unreported % maxRestingRequests,
  bornMs: Math.min(state.bornMs, nowMs - youngMs),
  isConfirmed: true,
  hasGauges: false,
  hasServers: false,
  isWatched: false,
}));

const runner = fc.integer({ min: 0, max: 30_000 }).map((ms) => ({ startedMs: nowMs - ms, isNewest: true }));

test("[X190] a router that rests calls at the first request after its time, and not before it", () => {
  fc.assert(
    fc.property(resting, runner, (state, at) => {
      const step = nextStep(state, at, nowMs);
      const sinceMs = nowMs - state.calledMs;
      if (sinceMs < 0.8 * restMs || state.firstMs === null) expect(step.kind).not.toBe("call");
      const isDue = state.firstMs !== null && nowMs - state.firstMs >= flushIntervalMs;
      const isAlive = nowMs - at.startedMs < 29_000;
      if (sinceMs >= 1.2 * restMs && isDue && isAlive) expect(step).toEqual({ kind: "call", waitMs: 0 });
    }),
  );
});

test("[X191] youth, 16 requests, a failed call, a request that waits and static servers each end the rest", () => {
  fc.assert(
    fc.property(resting, runner, (state, at) => {
      const usual = nextStep({ ...state, bornMs: nowMs }, at, nowMs);
      const others = [
        { unreported: maxRestingRequests },
        { isConfirmed: false },
        { hasGauges: true },
        { hasServers: true },
      ];
      for (const other of others) expect(nextStep({ ...state, ...other }, at, nowMs)).toEqual(usual);
    }),
  );
});

test("[X192] whatever its state, a router calls for a table that is old, and while the telemetry is watched", () => {
  fc.assert(
    fc.property(quiet, (state) => {
      const late = { ...state, calledMs: Math.min(state.calledMs, nowMs - 1_000) };
      const atMs = { startedMs: nowMs, isNewest: true };
      expect(nextStep({ ...late, isExpired: true }, atMs, nowMs).kind).toBe("call");
      const firstMs = nowMs - flushIntervalMs;
      expect(nextStep({ ...late, firstMs, isWatched: true }, atMs, nowMs).kind).toBe("call");
    }),
  );
});

test("[X175] no state makes a runner sleep for longer than the platform lets it", () => {
  fc.assert(
    fc.property(quiet, runner, (state, at) => {
      const step = nextStep(state, at, nowMs);
      if (step.kind !== "sleep") return;
      expect(step.untilMs).toBeGreaterThan(nowMs);
      expect(step.untilMs).toBeLessThanOrEqual(at.startedMs + 27_000);
    }),
  );
});
