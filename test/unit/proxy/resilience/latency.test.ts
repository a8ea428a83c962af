import { expect, test } from "vitest";
import { minHedgeMs, ServiceLatency, unknownHedgeMs } from "../../../../src/proxy/resilience/latency.ts";

function after(times: readonly number[], everyMs = 10): ServiceLatency {
  const latency = new ServiceLatency();
  for (const [index, tookMs] of times.entries()) latency.record(tookMs, index * everyMs);
  return latency;
}

test("[Y5] the hedge delay is fixed for an unknown and for a fast service", () => {
  expect(new ServiceLatency().hedgeAfterMs).toBe(unknownHedgeMs);
  expect(after(Array(40).fill(3)).hedgeAfterMs).toBe(minHedgeMs);
});

test("[Y5] the hedge delay is about the service's p95", () => {
  const took = Array.from({ length: 400 }, (_, index) => (index % 20 === 0 ? 900 : 200));
  expect(after(took).hedgeAfterMs).toBeGreaterThanOrEqual(200);
  expect(after(took).hedgeAfterMs).toBeLessThanOrEqual(230);
});

test("[Y5] old response times do not count", () => {
  const latency = after(Array(100).fill(800));
  for (let index = 0; index < 100; index++) latency.record(100, 60_000 + index);
  expect(latency.hedgeAfterMs).toBeLessThan(120);
});
