// A cell: where one isolate counts one thing, a task or a service at a node's entry point.

import type { GaugeReport } from "./delta.ts";
import { bucketIndex } from "./histogram.ts";
import { Gauge } from "./level.ts";
import { newTally, type SparseTally, type Tally, toSparseTally } from "./tally.ts";

export class MetricSet {
  readonly tally: Tally = newTally();
  /** Requests that wait for an answer. */
  readonly open = new Gauge();
  /** Requests that wait in line. */
  readonly queue = new Gauge();
  /** What was waiting when it was last taken. */
  #reportedOpen = 0;
  #reportedQueue = 0;

  add(counter: number, by = 1): void {
    const { counts } = this.tally;
    counts[counter] = (counts[counter] ?? 0) + by;
  }

  /** Counts a latency. */
  observeLatency(ms: number): void {
    const { buckets } = this.tally;
    const bucket = bucketIndex(ms);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }

  rotate(): void {
    this.open.rotate();
    this.queue.rotate();
  }

  /** What was counted since it was last taken; null when that is nothing. */
  take(): (SparseTally & GaugeReport) | null {
    const { tally, open, queue } = this;
    const written = toSparseTally(tally);
    const waits = open.value !== this.#reportedOpen || queue.value !== this.#reportedQueue;
    if (!waits && written.counts.length === 0 && written.buckets.length === 0) return null;
    const taken = {
      ...written,
      open: open.value,
      openMax: open.max,
      queue: queue.value,
      queueMax: queue.max,
    };
    tally.counts.fill(0);
    tally.buckets.fill(0);
    open.resetMax();
    queue.resetMax();
    this.#reportedOpen = open.value;
    this.#reportedQueue = queue.value;
    return taken;
  }
}
