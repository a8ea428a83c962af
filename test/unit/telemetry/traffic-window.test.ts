import { expect, test } from "vitest";
import { readSnapshot } from "../../../src/telemetry/read-snapshot.ts";
import { addDelta, newTelemetryState } from "../../../src/telemetry/telemetry-state.ts";
import { arrivedAt, delta, entryDelta, taskDelta } from "./deltas.ts";

const startMs = 1_700_000_000_000;

/**
 * Twenty requests, five of them failed, in the ten seconds from `startMs`; ten successful ones in the next.
 */
function stateWithTraffic() {
  const state = newTelemetryState(startMs);
  addDelta(
    state,
    delta(1, { entries: [entryDelta({ requests: 20, responses5xx: 5 }, Array(20).fill(40))] }),
    arrivedAt(startMs),
  );
  addDelta(
    state,
    delta(2, {
      entries: [entryDelta({ requests: 10 }, Array(10).fill(3))],
      tasks: [taskDelta({ attempts: 10, requests: 10 }, Array(10).fill(3))],
    }),
    arrivedAt(startMs + 12_000),
  );
  return state;
}

test("[G30] current traffic is that of the open bin and the one before it", () => {
  const state = stateWithTraffic();
  const at = (seconds: number) => readSnapshot(state, startMs + seconds * 1_000).services[0]?.recent;
  expect(at(15)).toMatchObject({ seconds: 15, requests: 30, failed: 5 });
  // From the bin with more requests, which took 40 ms.
  expect(at(15)?.p95Ms).toBeGreaterThan(30);
  expect(at(22)).toMatchObject({ seconds: 12, requests: 10, failed: 0 });
  expect(at(22)?.p95Ms).toBeLessThan(4);
  expect(at(35)).toMatchObject({ requests: 0, failed: 0, p99Ms: 0 });
});

test("[G30] a trend has the requests of each closed bin of ten seconds, and is only included if selected", () => {
  const state = stateWithTraffic();
  const trend = readSnapshot(state, startMs + 25_000, { trend: true }).services[0]?.trend ?? [];
  expect(trend).toHaveLength(59);
  expect(trend.slice(-3)).toEqual([0, 20, 10]);
  expect(readSnapshot(state, startMs + 25_000).services[0]?.trend).toEqual([]);
});

test("[G30] a snapshot without tasks has services and nodes", () => {
  const state = stateWithTraffic();
  const [service] = readSnapshot(state, startMs + 15_000, { tasks: false }).services;
  expect(service).toMatchObject({ tasks: [], entries: [], counts: { requests: 30 } });
  expect(readSnapshot(state, startMs + 15_000).services[0]?.tasks).toHaveLength(1);
});

test("[M213] a snapshot without entries has services with their tasks", () => {
  const state = stateWithTraffic();
  const whole = readSnapshot(state, startMs + 15_000);
  expect(whole.services[0]?.entries).toHaveLength(1);
  const { services, strays } = readSnapshot(state, startMs + 15_000, { entries: false });
  expect(services).toEqual(whole.services.map((service) => ({ ...service, entries: [] })));
  expect(strays).toEqual([]);
});

test("[G30] the first services and nodes keep the histogram of each bin, others only its percentiles", () => {
  const state = newTelemetryState(startMs);
  const entries = Array.from({ length: 250 }, (_, n) =>
    entryDelta({ requests: 1 }, [5], {
      service: { id: `s${n}`, name: `s${n}` },
      node: { id: `n${n}`, name: `n${n}` },
    }),
  );
  addDelta(state, delta(1, { entries }), arrivedAt(startMs));
  const { nodes, services } = readSnapshot(state, startMs, { series: true });
  const withHistograms = (items: typeof nodes | typeof services) =>
    items.filter(({ series }) => series?.tens.buckets !== null);
  const counts = [withHistograms(nodes).length, withHistograms(services).length];
  expect(counts.map((count) => count > 40 && count < 150)).toEqual([true, true]);
  expect([...nodes, ...services].every(({ series }) => (series?.tens.p95Ms.at(-1) ?? 0) > 4)).toBe(true);
});
