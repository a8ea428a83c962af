// Builders of deltas for tests.

import { type CounterName, counterIndex } from "../../../src/telemetry/counters.ts";
import type { Delta, EntryDelta, TaskDelta } from "../../../src/telemetry/delta.ts";
import type { DeltaArrival } from "../../../src/telemetry/delta-spans.ts";
import { recordLatency } from "../../../src/telemetry/histogram.ts";
import { newTally, type SparseTally, toSparseTally } from "../../../src/telemetry/metrics.ts";

export type Counted = Partial<Record<CounterName, number>>;

/** @param tookMs the latencies */
function sparseTally(counts: Counted, tookMs: readonly number[] = []): SparseTally {
  const tally = newTally();
  for (const [name, value] of Object.entries(counts)) tally.counts[counterIndex[name as CounterName]] = value;
  for (const ms of tookMs) {
    recordLatency(tally.buckets, ms);
    tally.counts[counterIndex.tookMs] = (tally.counts[counterIndex.tookMs] ?? 0) + ms;
  }
  return toSparseTally(tally);
}

/** A delta that arrives without having waited. */
export function arrivedAt(nowMs: number): DeltaArrival {
  return { nowMs, waitedMs: 0 };
}

const zeroGauges = { open: 0, openMax: 0, queue: 0, queueMax: 0 };

export function entryDelta(
  counts: Counted,
  tookMs: readonly number[] = [],
  change: Partial<EntryDelta> = {},
): EntryDelta {
  const service = { id: "service1", name: "my-web" };
  return {
    ...sparseTally(counts, tookMs),
    ...zeroGauges,
    service,
    node: { id: "id-node1", name: "node1" },
    ...change,
  };
}

export function taskDelta(
  counts: Counted,
  tookMs: readonly number[] = [],
  change: Partial<TaskDelta> = {},
): TaskDelta {
  return {
    ...sparseTally(counts, tookMs),
    ...zeroGauges,
    id: "task1",
    name: "my-web.1",
    slot: 1,
    nodeId: "id-node1",
    serviceId: "service1",
    serviceName: "my-web",
    ejectedMs: 0,
    ...change,
  };
}

export function delta(seq: number, change: Partial<Delta> = {}): Delta {
  return { isolate: "isolate1", seq, colo: "AMS", tasks: [], entries: [], ...change };
}
