// The ids of the attempts of the last minutes, so that each is executed once.

import { attemptWindowMs } from "../../gateway/attempt.ts";

/** An attempt may be issued as much in the future as it may be old. */
const generationMs = 2 * attemptWindowMs;

/** Two generations of ids. An id is kept for one generation at least, and for two at most. */
export class AttemptLog {
  #older = new Set<string>();
  #newer = new Set<string>();
  /** When the newer generation began. */
  #sinceMs = 0;

  /**
   * Notes an id. False if it was noted while an attempt of it can still count.
   *
   * @param nowMs monotonic milliseconds
   */
  add(id: string, nowMs: number): boolean {
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs > generationMs) {
      this.#older = ageMs > 2 * generationMs ? new Set() : this.#newer;
      this.#newer = new Set();
      this.#sinceMs = nowMs;
    }
    if (this.#newer.has(id) || this.#older.has(id)) return false;
    this.#newer.add(id);
    return true;
  }

  /** Ids in memory. */
  get size(): number {
    return this.#older.size + this.#newer.size;
  }
}
