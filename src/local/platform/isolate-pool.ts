// The isolates of the data plane: which one gets a request, and when one is evicted. An evicted isolate finishes its
// requests; the next one in its place starts without a routing table, as in a data center that had no request for a
// while.

import { pauseMs, type Random, seededRandom } from "./seeded-random.ts";

/** One isolate. */
export type IsolateId = {
  readonly place: number;
  /** How many isolates were evicted there before. */
  readonly generation: number;
  /** The data center, as in `request.cf.colo`. */
  readonly colo: string;
};

export type IsolatePoolOptions = {
  /** Number of isolates at a time, at least 1. */
  readonly isolates: number;
  /** Mean time between two evictions in the whole mesh, milliseconds. 0: never. */
  readonly evictEveryMs: number;
  readonly seed: number;
};

const colos = ["LHR", "IAD", "FRA", "NRT", "SIN", "GRU", "SYD", "JNB", "ORD", "AMS", "CDG", "BOM"];

export class IsolatePool {
  readonly #evictEveryMs: number;
  readonly #random: Random;
  readonly #generations: number[];
  #evictAtMs: number;

  constructor({ isolates, evictEveryMs, seed }: IsolatePoolOptions, nowMs: number) {
    this.#evictEveryMs = evictEveryMs;
    this.#random = seededRandom(seed);
    this.#generations = Array.from({ length: isolates }, () => 0);
    this.#evictAtMs = evictEveryMs === 0 ? Number.POSITIVE_INFINITY : this.#nextAfter(nowMs);
  }

  /** Number of evictions so far. */
  get evictions(): number {
    return this.#generations.reduce((sum, generation) => sum + generation, 0);
  }

  /** The isolate for a request. Requests spread evenly, as those of clients all over the world. */
  pick(nowMs: number): IsolateId {
    if (nowMs >= this.#evictAtMs) this.#evict(nowMs);
    const place = this.#anyPlace();
    return {
      place,
      generation: this.#generations[place] ?? 0,
      colo: colos[place % colos.length] ?? "LHR",
    };
  }

  /** One eviction, however long no request came: no client could distinguish several. */
  #evict(nowMs: number): void {
    const place = this.#anyPlace();
    this.#generations[place] = (this.#generations[place] ?? 0) + 1;
    this.#evictAtMs = this.#nextAfter(nowMs);
  }

  #anyPlace(): number {
    return Math.floor(this.#random() * this.#generations.length);
  }

  #nextAfter(nowMs: number): number {
    return nowMs + pauseMs(this.#evictEveryMs, this.#random);
  }
}
