// A router's calls under any traffic, registry and platform, in simulated time.

import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { maxRestingRequests, restMs } from "../../../src/proxy/link/call-plan.ts";
import { type Behavior, LinkWorld, oneWayMs } from "../../support/link-world.ts";

afterEach(() => {
  vi.useRealTimers();
});

const behavior = fc.constantFrom<Behavior>(
  "responds",
  "fails",
  "is silent",
  "loses replies",
  "does not count",
);
const part = fc.record({
  /** Requests at this interval. */
  everyMs: fc.constantFrom(100, 400, 900, 1_500, 4_000, 12_000, 29_000, 70_000),
  count: fc.integer({ min: 1, max: 40 }),
  pauseMs: fc.constantFrom(0, 1_000, 20_000, 26_000, 61_000, 600_000),
  canceledAfterMs: fc.option(fc.integer({ min: 0, max: 29_000 }), { nil: null }),
  isWatched: fc.boolean(),
});

/** Runs a world through simulated time, and looks at it after each step. */
async function run(
  world: LinkWorld,
  parts: readonly { everyMs: number; count: number; pauseMs: number; canceledAfterMs: number | null }[],
  onPart: (index: number) => void,
): Promise<void> {
  for (const [index, { everyMs, count, pauseMs, canceledAfterMs }] of parts.entries()) {
    onPart(index);
    for (let sent = 0; sent < count; sent += 1) {
      world.request(sent % 3 === 0 ? canceledAfterMs : null);
      await vi.advanceTimersByTimeAsync(everyMs);
      expect(world.callsUnderWay).toBeLessThanOrEqual(1);
    }
    await vi.advanceTimersByTimeAsync(pauseMs);
  }
}

test("[Y47] whatever the registry and the platform do, a router has one call at a time, and loses no count", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.record({ part, behavior, changes: fc.boolean() }), { minLength: 1, maxLength: 8 }),
    async (steps) => {
      vi.useFakeTimers({ now: 1_000_000 });
      const world = new LinkWorld();
      await run(
        world,
        steps.map((step) => step.part),
        (index) => {
          world.behavior = steps[index]?.behavior ?? "responds";
          world.isWatched = steps[index]?.part.isWatched ?? false;
          if (steps[index]?.changes) world.change();
        },
      );
      expect(world.counted).toBeLessThanOrEqual(world.sent);
      world.behavior = "responds";
      // The next request finds calls that are lost, and its work is not canceled.
      await vi.advanceTimersByTimeAsync(1.2 * restMs);
      world.request();
      await vi.advanceTimersByTimeAsync(1.2 * restMs);
      world.request();
      await vi.advanceTimersByTimeAsync(30_000);
      expect(world.counted).toBe(world.sent);
      expect(world.tables.held?.version).toBe(world.version);
    },
  );
  await fc.assert(property, { numRuns: 100 });
}, 60_000);

test("[Y48] a router calls at most four times a minute, unless the table changes or the telemetry is watched", async () => {
  const property = fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async (parts) => {
    vi.useFakeTimers({ now: 1_000_000 });
    const world = new LinkWorld();
    const uncanceled = parts.map((one) => ({ ...one, canceledAfterMs: null }));
    await run(world, uncanceled, () => undefined);
    const startsMs = world.calls.map(({ startedMs }) => startedMs);
    for (const startMs of startsMs) {
      const inMinute = startsMs.filter((otherMs) => otherMs >= startMs && otherMs < startMs + 60_000);
      expect(inMinute.length).toBeLessThanOrEqual(4);
    }
  });
  await fc.assert(property, { numRuns: 100 });
}, 60_000);

test("[X193] a minute after its last request, a router that rests has counters of fewer than 16 requests that would be lost", async () => {
  const parts = fc.array(part, { minLength: 1, maxLength: 12 });
  let most = 0;
  await fc.assert(
    fc.asyncProperty(parts, async (traffic) => {
      vi.useFakeTimers({ now: 1_000_000 });
      const world = new LinkWorld();
      for (const one of traffic) {
        await run(world, [{ ...one, canceledAfterMs: null }], () => undefined);
        await vi.advanceTimersByTimeAsync(60_000);
        most = Math.max(most, world.sent - world.counted);
        expect(world.sent - world.counted).toBeLessThan(maxRestingRequests);
      }
    }),
    { numRuns: 60 },
  );
  expect(most).toBeGreaterThan(0);
}, 60_000);

test("[Y49] a newer table reaches a busy router within a second, and most often within one round trip", async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 0, max: 60_000 }),
    fc.integer({ min: 20, max: 400 }),
    async (afterMs, everyMs) => {
      vi.useFakeTimers({ now: 1_000_000 });
      const world = new LinkWorld();
      let sentMs = 0;
      const until = async (untilMs: number) => {
        for (; sentMs < untilMs; sentMs += everyMs) {
          world.request();
          await vi.advanceTimersByTimeAsync(everyMs);
        }
      };
      await until(40_000 + afterMs);
      const isWaiting = world.calls.some(
        ({ startedMs, endedMs, waitMs }) =>
          endedMs === null && Date.now() > startedMs + oneWayMs && Date.now() < startedMs + waitMs,
      );
      const changedMs = Date.now();
      world.change();
      if (isWaiting) {
        await vi.advanceTimersByTimeAsync(oneWayMs);
        expect(world.tables.held?.version).toBe(world.version);
      }
      await until(sentMs + 1_000);
      expect(world.tables.held?.version).toBe(world.version);
      expect(Date.now() - changedMs).toBeLessThanOrEqual(1_500);
    },
  );
  await fc.assert(property, { numRuns: 60 });
}, 60_000);
