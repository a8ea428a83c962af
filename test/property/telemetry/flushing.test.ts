// However flushes fail, are sent again, cross each other, and objects start anew: what was counted is counted once.

import fc from "fast-check";
import { expect, test } from "vitest";
import { counterIndex } from "../../../src/telemetry/counters.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { Flusher } from "../../../src/telemetry/flusher.ts";
import { Meter } from "../../../src/telemetry/meter.ts";
import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";

const service = { id: "service1", name: "my-web" };
const node = { id: "node1", name: "node1" };
const task = { taskId: "task1", slot: 1, nodeId: "node1", server: null };

type Fate = "taken" | "lost on the way" | "answer lost";

type Step =
  | { readonly kind: "request"; readonly isolate: 0 | 1; readonly tookMs: number }
  | { readonly kind: "flush"; readonly isolate: 0 | 1; readonly fate: Fate }
  | { readonly kind: "save" }
  | { readonly kind: "evict" }
  | { readonly kind: "clock"; readonly byMs: number };

const isolate = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("request" as const), isolate, tookMs: fc.nat(5_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("flush" as const),
      isolate,
      fate: fc.constantFrom<Fate>("taken", "lost on the way", "answer lost"),
    }),
  },
  fc.constant<Step>({ kind: "save" }),
  fc.constant<Step>({ kind: "evict" }),
  fc.record({ kind: fc.constant("clock" as const), byMs: fc.integer({ min: -1e9, max: 1e9 }) }),
);

/** Two isolates and the telemetry object, on one clock that goes as it likes. */
class World {
  readonly #port = memoryDatabase();
  nowMs = 1_700_000_000_000;
  telemetry = new Telemetry(this.#port, () => this.nowMs);
  fate: Fate = "taken";
  sent = 0;
  readonly isolates = [this.#isolate("a"), this.#isolate("b")] as const;

  #isolate(name: string) {
    const meter = new Meter({ isolate: name, ejectedMs: () => 0, maxResponseMs: 30_000 });
    const send = async (delta: Delta) => {
      if (this.fate === "lost on the way") throw new Error(this.fate);
      this.telemetry.count(delta);
      if (this.fate === "answer lost") throw new Error(this.fate);
    };
    const flusher = new Flusher(meter, { send, nowMs: () => this.nowMs, sleep: async () => undefined });
    return { meter, flusher };
  }

  request(which: 0 | 1, tookMs: number): void {
    const { meter } = this.isolates[which];
    for (const cell of [meter.entry(service, node), meter.task(task, service)]) {
      cell.add(counterIndex.requests);
      cell.observeLatency(tookMs);
    }
    this.sent += 1;
  }

  /** Saved before, as its alarm does before it is evicted. */
  evict(): void {
    this.telemetry.save();
    this.telemetry = new Telemetry(this.#port, () => this.nowMs);
  }

  counted() {
    const [found] = this.telemetry.snapshot({}).services;
    return [found?.counts.requests ?? 0, found?.latency.count ?? 0, found?.tasks[0]?.counts.requests ?? 0];
  }
}

async function play(world: World, one: Step): Promise<void> {
  if (one.kind === "request") world.request(one.isolate, one.tookMs);
  else if (one.kind === "clock") world.nowMs = Math.max(0, world.nowMs + one.byMs);
  else if (one.kind === "evict") world.evict();
  else if (one.kind === "save") world.telemetry.save();
  else {
    world.fate = one.fate;
    await world.isolates[one.isolate].flusher.flush();
  }
}

test("[J4] no count is lost or doubled under any order of requests, flushes, failures, evictions and clocks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const world = new World();
      // Jumps of days in sum would let things be forgotten, which is another rule.
      const tame = steps.map((one) => (one.kind === "clock" ? { ...one, byMs: one.byMs / 1_000 } : one));
      for (const one of tame) {
        await play(world, one);
        expect(world.counted()[0]).toBeLessThanOrEqual(world.sent);
      }
      world.fate = "taken";
      for (const { flusher } of world.isolates) await flusher.flush();
      expect(world.counted()).toEqual([world.sent, world.sent, world.sent]);
    }),
  );
});
