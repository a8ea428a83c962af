// Steady load is a steady line, however often and however late isolates report, and whatever their clocks show.

import fc from "fast-check";
import { expect, test } from "vitest";
import { counterIndex } from "../../../src/telemetry/counters.ts";
import { deltaText } from "../../../src/telemetry/delta.ts";
import { recordLatency } from "../../../src/telemetry/histogram.ts";
import { Meter } from "../../../src/telemetry/meter.ts";
import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";

const service = { id: "service1", name: "my-web" };
const node = { id: "node1", name: "node1" };
const task = { taskId: "task1", slot: 1, nodeId: "node1", server: null };

const startMs = 1_700_000_000_000;
const requestGapMs = 100;
const minutes = 4;

type Sender = {
  readonly meter: Meter;
  /** What its clock is ahead of the telemetry object's, milliseconds. */
  readonly skewMs: number;
  /** When its next delta is taken: not before the last one has arrived. */
  dueMs: number;
};

/** An isolate's counters are taken after each gap; the delta waits at the isolate, and then on its way. */
type Plan = { readonly gapMs: number; readonly lateMs: number; readonly waitedMs: number };

const plan: fc.Arbitrary<Plan> = fc.record({
  gapMs: fc.integer({ min: 2_000, max: 30_000 }),
  lateMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 8_000 })),
  waitedMs: fc.integer({ min: 0, max: 10_000 }),
});

function request({ meter }: Sender, nowMs: number): void {
  if (nowMs >= meter.sliceEndMs) meter.endSlice(nowMs);
  for (const metrics of [meter.entry(service, node), meter.task(task, service)]) {
    metrics.add(counterIndex.requests);
    metrics.add(counterIndex.attempts);
    recordLatency(metrics.tally.buckets, 12);
  }
}

test("[J412] ten requests a second are a line within ten percent, whatever the intervals, delays and clocks of reports", () => {
  fc.assert(
    fc.property(
      fc.array(plan, { minLength: 200, maxLength: 200 }),
      fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 3 }),
      (plans, skews) => {
        let nowMs = startMs;
        const telemetry = new Telemetry(memoryDatabase(), () => nowMs);
        const senders = skews.map(
          (skewMs, at): Sender => ({
            meter: new Meter({ isolate: `isolate${at}`, ejectedMs: () => 0 }),
            skewMs,
            dueMs: startMs,
          }),
        );
        const arriving: { readonly atMs: number; readonly text: string; readonly waitedMs: number }[] = [];
        let planned = 0;
        let sent = 0;
        for (; nowMs < startMs + minutes * 60_000; nowMs += requestGapMs) {
          for (const sender of senders) {
            request(sender, nowMs + sender.skewMs);
            sent += 1;
            if (nowMs < sender.dueMs) continue;
            const { gapMs, lateMs, waitedMs } = plans[planned++ % plans.length] as Plan;
            const delta = sender.meter.take(nowMs + sender.skewMs);
            if (delta !== null) {
              const text = deltaText(delta, nowMs + lateMs + sender.skewMs);
              arriving.push({ atMs: nowMs + lateMs + waitedMs, text, waitedMs });
            }
            sender.dueMs = nowMs + Math.max(gapMs, lateMs + waitedMs);
          }
          for (const delta of arriving.splice(0)) {
            if (delta.atMs > nowMs) arriving.push(delta);
            else telemetry.countAll([delta.text], [delta.waitedMs]);
          }
        }
        const { services, completeMs } = telemetry.snapshot({ series: true });
        const series = services[0]?.series?.tens;
        const rate = (10_000 / requestGapMs) * senders.length;
        const ended = series?.requests.filter((_, bin) => {
          const fromMs = series.startMs + bin * series.stepMs;
          return fromMs > startMs + 60_000 && fromMs + series.stepMs <= completeMs;
        });
        expect(ended?.length).toBeGreaterThan(6);
        for (const requests of ended ?? []) {
          expect(requests).toBeGreaterThanOrEqual(0.9 * rate);
          expect(requests).toBeLessThanOrEqual(1.1 * rate);
        }
        // Nothing is lost: what was not reported yet is still on its way.
        for (const { text, waitedMs } of arriving) telemetry.countAll([text], [waitedMs]);
        for (const { meter, skewMs } of senders) {
          const rest = meter.take(nowMs + skewMs);
          if (rest !== null) telemetry.countAll([deltaText(rest, nowMs + skewMs)]);
        }
        expect(telemetry.snapshot({}).services[0]?.counts.requests).toBe(sent);
      },
    ),
    { numRuns: 25 },
  );
}, 30_000);
