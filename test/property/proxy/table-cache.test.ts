// A router's table cache before a registry that fails in any way, in simulated time.

import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { printTable } from "../../../src/domain/table/text.ts";
import { RegistryLink } from "../../../src/proxy/link/registry-link.ts";
import { maxRefreshWaitMs, type SentTable, TableCache } from "../../../src/proxy/routing/table-cache.ts";
import { tableOf } from "../../support/dataplane.ts";
import { registryReply } from "../../support/test-table.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** The registry's behavior from a step on. */
const behavior = fc.constantFrom("responds", "throws", "hangs", "is slow", "sends nonsense", "was reset");
const step = fc.record({
  afterMs: fc.constantFrom(0, 5, 400, 1_001, 3_000, 120_000),
  behavior: fc.option(behavior, { nil: null }),
  /** The table changed since the last step. */
  changes: fc.boolean(),
  /** The clock is set by this much. */
  clockStepMs: fc.constantFrom(0, 0, 0, -1_800_000, -2_000, 1_800_000),
});

test("[Y30][X161] whatever the clock does, versions never fall, waits are short, and a new table is used once the registry responds", async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
    vi.useFakeTimers({ now: 1_000_000 });
    const registry = new Registry();
    const nowMs = () => Date.now();
    const cache = new TableCache(registry.source, { nowMs });
    const link = new RegistryLink({
      call: async ({ afterVersion }) => registryReply(await registry.source(afterVersion)),
      tables: cache,
      meter: null,
      nowMs,
      random: () => 0.5,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      isAlwaysWatched: true,
      canWait: true,
    });
    const routed: { version: number; waitedMs: number; hadTable: boolean }[] = [];
    const route = () => {
      // The fake performance clock follows timers, not the system time.
      const startedMs = performance.now();
      const hadTable = Number.isFinite(cache.ageMs());
      void Promise.resolve(cache.held ?? cache.first((work) => void work)).then((routes) => {
        routed.push({ version: routes?.version ?? -1, waitedMs: performance.now() - startedMs, hadTable });
        link.requestEnded(Date.now(), (work) => void work);
      });
    };
    for (const { afterMs, behavior, changes, clockStepMs } of steps) {
      await vi.advanceTimersByTimeAsync(afterMs);
      vi.setSystemTime(Date.now() + clockStepMs);
      if (behavior !== null) registry.behavior = behavior;
      if (changes) registry.version += 1;
      route();
    }
    await vi.advanceTimersByTimeAsync(60_000);
    expect(routed).toHaveLength(steps.length);
    for (const { waitedMs, hadTable } of routed) {
      expect(waitedMs).toBeLessThanOrEqual(hadTable ? 0 : maxRefreshWaitMs + 10);
    }
    const versions = routed.map(({ version }) => version);
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));

    registry.behavior = "responds";
    for (let turn = 0; turn < 12; turn += 1) {
      route();
      await vi.advanceTimersByTimeAsync(1_100);
    }
    route();
    await vi.advanceTimersByTimeAsync(0);
    expect(routed.at(-1)?.version).toBe(registry.version);
    expect([cache.problem, cache.ageMs() <= 3_300]).toEqual([null, true]);
  });
  await fc.assert(property, { numRuns: 200 });
}, 20_000);

class Registry {
  version = 5;
  behavior = "responds";

  readonly source = async (after: number): Promise<SentTable> => {
    const { version, behavior } = this;
    if (behavior === "throws") throw new Error("the object was reset");
    if (behavior === "hangs") return new Promise(() => undefined);
    if (behavior === "sends nonsense") return { version: version + 100, text: "waggle-table 99\n" };
    if (behavior === "was reset") return { version: 2, text: printTable(tableOf(2)) };
    // A slow response has the table of the time of the request.
    const response = { version, text: version > after ? printTable(tableOf(version)) : null };
    if (behavior === "is slow") await new Promise((resolve) => setTimeout(resolve, 3_500));
    return response;
  };
}
