// Cursors: where each round robin of this isolate stands, as the last member picked, so that they outlive the table.

import { nextAfter } from "../../domain/table/round-robin.ts";

/** Cursors kept at most, some 10 MB. Beyond, all start anew at random: shares stay fair, only order is lost. */
const maxCursors = 50_000;

export class Cursors {
  readonly #last = new Map<string, string>();
  readonly #random: () => number;

  /** @param random [0, 1): where a new round starts, so that isolates do not all begin with the same member */
  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * The next index of a round over `keys` (ascending, each once), and moves the round on to it.
   *
   * @param passes true for members not to pick this time; they keep their place in the round
   * @returns -1 when no member is left
   */
  next(name: string, keys: readonly string[], passes?: (key: string, index: number) => boolean): number {
    const count = keys.length;
    const last = this.#last.get(name);
    let index = last === undefined ? Math.floor(this.#random() * count) : nextAfter(keys, last);
    for (let seen = 0; seen < count; seen += 1) {
      const key = keys[index];
      if (key === undefined) return -1;
      if (passes?.(key, index) !== true) {
        this.#keep(name, key, last === undefined);
        return index;
      }
      index = index + 1 === count ? 0 : index + 1;
    }
    return -1;
  }

  #keep(name: string, key: string, isNew: boolean): void {
    if (isNew && this.#last.size >= maxCursors) this.#last.clear();
    this.#last.set(name, key);
  }
}
