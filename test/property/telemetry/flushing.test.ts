// Counts are exact, however flushes fail, repeat and cross, and objects restart.

import fc from "fast-check";
import { expect, test } from "vitest";
import { counterIndex } from "../../../src/telemetry/counters.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { Flusher } from "../../../src/telemetry/flusher.ts";
import { recordLatency } from "../../../src/telemetry/histogram.ts";
import { Meter } from "../../../src/telemetry/meter.ts";
import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";

const service = { id: "service1", name: "my-web" };
const node = { id: "node1", name: "node1" };
const task = { taskId: "task1", slot: 1, nodeId: "node1", server: null };

type Delivery = "delivered" | "request lost" | "response lost";

type Step =
  | { readonly kind: "request"; readonly isolate: 0 | 1; readonly tookMs: number }
  | { readonly kind: "flush"; readonly isolate: 0 | 1; readonly delivery: Delivery }
  | { readonly kind: "save" }
  | { readonly kind: "evict" }
  | { readonly kind: "clock"; readonly byMs: number };

const isolate = fc.constantFrom<0 | 1>(0, 1);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("request" as const), isolate, tookMs: fc.nat(5_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("flush" as const),
      isolate,
      delivery: fc.constantFrom<Delivery>("delivered", "request lost", "response lost"),
    }),
  },
  fc.constant<Step>({ kind: "save" }),
  fc.constant<Step>({ kind: "evict" }),
  fc.record({ kind: fc.constant("clock" as const), byMs: fc.integer({ min: -1e9, max: 1e9 }) }),
);

/** Two isolates and the telemetry object, on one clock that may jump. */
class World {
  readonly #port = memoryDatabase();
  nowMs = 1_700_000_000_000;
  telemetry = new Telemetry(this.#port, () => this.nowMs);
  delivery: Delivery = "delivered";
  sent = 0;
  readonly isolates = [this.#isolate("a"), this.#isolate("b")] as const;

  #isolate(name: string) {
    const meter = new Meter({ isolate: name, ejectedMs: () => 0 });
    const send = async (delta: Delta) => {
      if (this.delivery === "request lost") throw new Error(this.delivery);
      this.telemetry.count(delta);
      if (this.delivery === "response lost") throw new Error(this.delivery);
    };
    const flusher = new Flusher(meter, { send, nowMs: () => this.nowMs, sleep: async () => undefined });
    return { meter, flusher };
  }

  request(index: 0 | 1, tookMs: number): void {
    const { meter } = this.isolates[index];
    for (const metrics of [meter.entry(service, node), meter.task(task, service)]) {
      metrics.add(counterIndex.requests);
      recordLatency(metrics.tally.buckets, tookMs);
    }
    this.sent += 1;
  }

  /** Saves first, as the object's alarm does before an eviction. */
  evict(): void {
    this.telemetry.save();
    this.telemetry = new Telemetry(this.#port, () => this.nowMs);
  }

  counts() {
    const [measured] = this.telemetry.snapshot({}).services;
    const taskRequests = measured?.tasks[0]?.counts.requests ?? 0;
    return [measured?.counts.requests ?? 0, measured?.latency.count ?? 0, taskRequests];
  }
}

async function apply(world: World, step: Step): Promise<void> {
  if (step.kind === "request") world.request(step.isolate, step.tookMs);
  else if (step.kind === "clock") world.nowMs = Math.max(0, world.nowMs + step.byMs);
  else if (step.kind === "evict") world.evict();
  else if (step.kind === "save") world.telemetry.save();
  else {
    world.delivery = step.delivery;
    await world.isolates[step.isolate].flusher.flush();
  }
}

test("[J4] no count is lost or doubled under any order of requests, flushes, failures, evictions and clocks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (sequence) => {
      const world = new World();
      // Jumps that add up to days would expire items, which is another rule.
      const shortJumps = sequence.map((step) =>
        step.kind === "clock" ? { ...step, byMs: step.byMs / 1_000 } : step,
      );
      for (const step of shortJumps) {
        await apply(world, step);
        expect(world.counts()[0]).toBeLessThanOrEqual(world.sent);
      }
      world.delivery = "delivered";
      for (const { flusher } of world.isolates) await flusher.flush();
      expect(world.counts()).toEqual([world.sent, world.sent, world.sent]);
    }),
  );
});
