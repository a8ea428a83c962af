// A cell: where one isolate counts one thing, a task or a service at a node's entry point.

import type { Waiting } from "./delta.ts";
import { bucketOf } from "./histogram.ts";
import { Level } from "./level.ts";
import { newTally, type Tally, type WrittenTally, writeTally } from "./tally.ts";

export class Cell {
  readonly tally: Tally = newTally();
  /** Requests that wait for an answer. */
  readonly open = new Level();
  /** Requests that wait in line. */
  readonly queue = new Level();
  /** What was waiting when it was last taken. */
  #saidOpen = 0;
  #saidQueue = 0;

  add(counter: number, by = 1): void {
    const { counts } = this.tally;
    counts[counter] = (counts[counter] ?? 0) + by;
  }

  /** Counts a latency. */
  took(ms: number): void {
    const { buckets } = this.tally;
    const bucket = bucketOf(ms);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }

  turn(): void {
    this.open.turn();
    this.queue.turn();
  }

  /** What was counted since it was last taken; null when that is nothing. */
  take(): (WrittenTally & Waiting) | null {
    const { tally, open, queue } = this;
    const written = writeTally(tally);
    const waits = open.now !== this.#saidOpen || queue.now !== this.#saidQueue;
    if (!waits && written.counts.length === 0 && written.buckets.length === 0) return null;
    const taken = { ...written, open: open.now, openMax: open.max, queue: queue.now, queueMax: queue.max };
    tally.counts.fill(0);
    tally.buckets.fill(0);
    open.restart();
    queue.restart();
    this.#saidOpen = open.now;
    this.#saidQueue = queue.now;
    return taken;
  }
}
