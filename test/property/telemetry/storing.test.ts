// The journal and its checkpoints: whenever the object starts again, it has exactly what was saved.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { SqlDatabase } from "../../../src/storage/sql-database.ts";
import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { delta, entryDelta, taskDelta } from "../../unit/telemetry/deltas.ts";

type Step =
  | { readonly kind: "count"; readonly services: number; readonly latencies: number; readonly waitMs: number }
  | { readonly kind: "save" | "restart" | "failing save" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("count" as const),
      services: fc.integer({ min: 1, max: 5 }),
      latencies: fc.integer({ min: 0, max: 30 }),
      waitMs: fc.integer({ min: 0, max: 20_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "save" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "restart" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "failing save" }) },
);

/** A database whose next transaction can fail after its last statement. */
class FailingDatabase implements SqlDatabase {
  readonly #database = memoryDatabase();
  willFail = false;

  exec(...args: Parameters<SqlDatabase["exec"]>) {
    return this.#database.exec(...args);
  }

  transactionSync<T>(work: () => T): T {
    return this.#database.transactionSync(() => {
      const result = work();
      if (this.willFail) throw new Error("the disk is full");
      return result;
    });
  }
}

function change(services: number, latencies: number) {
  const tookMs = Array.from({ length: latencies }, (_, at) => 1.3 ** at);
  const of = Array.from({ length: services }, (_, at) => ({ id: `s${at}`, name: `s${at}` }));
  return {
    entries: of.map((service) => entryDelta({ requests: 2, responses2xx: 1 }, tookMs, { service })),
    tasks: of.map(({ id }) => taskDelta({ attempts: 3 }, tookMs, { id: `t${id}`, serviceId: id })),
  };
}

test("[J413] after any order of counts, saves that fail, and restarts, all that was saved is there and nothing twice", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 150, maxLength: 220 }), (steps) => {
      const database = new FailingDatabase();
      let nowMs = 1_700_000_000_000;
      let telemetry = new Telemetry(database, () => nowMs);
      // Isolates are kept in memory only. As text, because comparing is most of the time else.
      const everything = () => {
        const { colos, ...traffic } = telemetry.snapshot({ series: true, trend: true, colos: true });
        return JSON.stringify([traffic, colos.map(({ tasks }) => tasks)]);
      };
      for (const [at, { kind, ...of }] of steps.entries()) {
        if (kind === "count") {
          const { services, latencies, waitMs } = of as Extract<Step, { kind: "count" }>;
          const times = { takenMs: nowMs, slicesMs: [4_000, 3_000] };
          telemetry.countAll(
            [JSON.stringify(delta(at + 1, { times, ...change(services, latencies) }))],
            [waitMs],
          );
          nowMs += 1_700;
        } else if (kind === "save") {
          telemetry.save();
        } else if (kind === "failing save") {
          database.willFail = true;
          expect(() => telemetry.save()).toThrow("the disk is full");
          database.willFail = false;
        } else {
          telemetry.save();
          // Reports are complete by then, as far as the object knows before and after.
          nowMs += 60_000;
          const before = everything();
          telemetry = new Telemetry(database, () => nowMs);
          expect(everything()).toBe(before);
        }
      }
    }),
    { numRuns: 5, endOnFailure: true },
  );
}, 30_000);
