// A cell: where one isolate counts one thing, a task or a service at a node's entry point.

import type { Waiting } from "./delta.ts";
import { bucketOf } from "./histogram.ts";
import { newTally, type Tally, type WrittenTally, writeTally } from "./tally.ts";

export class Cell {
  readonly tally: Tally = newTally();
  queue = 0;
  #queueMax = 0;
  /** Requests that wait for an answer: sent in the present turn, and in the one before. */
  #open = 0;
  #openBefore = 0;
  #openMax = 0;
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

  /** Takes in that a request waits for an answer. */
  opened(): void {
    this.#open += 1;
    if (this.open > this.#openMax) this.#openMax = this.open;
  }

  /**
   * Takes in that one waits no longer.
   *
   * @param turnsAgo how many turns ago it was opened
   */
  closed(turnsAgo: number): void {
    if (turnsAgo === 0) this.#open -= 1;
    else if (turnsAgo === 1) this.#openBefore -= 1;
  }

  queued(): void {
    this.queue += 1;
    if (this.queue > this.#queueMax) this.#queueMax = this.queue;
  }

  get open(): number {
    return this.#open + this.#openBefore;
  }

  /**
   * What was opened before the turn before this one has ended, whether anybody said so or not: the platform stops a
   * request in its tracks when its client goes away.
   */
  turn(): void {
    this.#openBefore = this.#open;
    this.#open = 0;
  }

  /** What was counted since it was last taken; null when that is nothing. */
  take(): (WrittenTally & Waiting) | null {
    const written = writeTally(this.tally);
    const waits = this.open !== this.#saidOpen || this.queue !== this.#saidQueue;
    if (!waits && written.counts.length === 0 && written.buckets.length === 0) return null;
    this.tally.counts.fill(0);
    this.tally.buckets.fill(0);
    const { open, queue } = this;
    const taken = { ...written, open, openMax: this.#openMax, queue, queueMax: this.#queueMax };
    this.#openMax = open;
    this.#queueMax = queue;
    this.#saidOpen = open;
    this.#saidQueue = queue;
    return taken;
  }
}
