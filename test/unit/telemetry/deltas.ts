// Deltas as isolates send them, made in few words.

import { type Counter, counter } from "../../../src/telemetry/counters.ts";
import type { Delta, EntryDelta, TaskDelta } from "../../../src/telemetry/delta.ts";
import { bucketOf } from "../../../src/telemetry/histogram.ts";
import { newTally, type WrittenTally, writeTally } from "../../../src/telemetry/tally.ts";

export type Counted = Partial<Record<Counter, number>>;

/** @param tookMs latencies counted */
export function written(counts: Counted, tookMs: readonly number[] = []): WrittenTally {
  const tally = newTally();
  for (const [name, value] of Object.entries(counts)) tally.counts[counter[name as Counter]] = value;
  for (const ms of tookMs) {
    tally.buckets[bucketOf(ms)] = (tally.buckets[bucketOf(ms)] ?? 0) + 1;
    tally.counts[counter.tookMs] = (tally.counts[counter.tookMs] ?? 0) + ms;
  }
  return writeTally(tally);
}

const still = { open: 0, openMax: 0, queue: 0, queueMax: 0 };

export function entryDelta(
  counts: Counted,
  tookMs: readonly number[] = [],
  change: Partial<EntryDelta> = {},
): EntryDelta {
  const service = { id: "service1", name: "my-web" };
  return {
    ...written(counts, tookMs),
    ...still,
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
    ...written(counts, tookMs),
    ...still,
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
  return { isolate: "isolate1", seq, place: "AMS", tasks: [], entries: [], ...change };
}
