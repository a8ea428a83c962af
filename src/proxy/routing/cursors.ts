// Cursors: the last member picked by each round robin of this isolate. They outlive the table.

/** Maximum cursors kept, about 10 MB. One more clears all: shares stay even, only the order is lost. */
const maxCursors = 50_000;

export class Cursors {
  readonly #last = new Map<string, string>();
  readonly #random: () => number;

  /**
   * @param random [0, 1): where a new cursor starts, so that isolates do not all begin with the same member
   */
  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * Moves a cursor to the next member and returns its index.
   *
   * @param keys the members, ascending, each once
   * @param skip true for a member to skip this time; it keeps its position in the round
   * @returns -1 if no member is left
   */
  next(cursor: string, keys: readonly string[], skip?: (key: string, index: number) => boolean): number {
    const count = keys.length;
    const last = this.#last.get(cursor);
    let index = last === undefined ? Math.floor(this.#random() * count) : nextAfter(keys, last);
    for (let seen = 0; seen < count; seen += 1) {
      const key = keys[index];
      if (key === undefined) return -1;
      if (skip?.(key, index) !== true) {
        if (last === undefined && this.#last.size >= maxCursors) this.#last.clear();
        this.#last.set(cursor, key);
        return index;
      }
      index = index + 1 === count ? 0 : index + 1;
    }
    return -1;
  }
}

/**
 * Index of the member after `last` in a round: the first key greater than it, else the first.
 *
 * Between two picks of one member every other member that stays is picked exactly once, so the shares of
 * members that stay differ by at most one, whatever joins and leaves. A counter modulo the length has no such
 * bound.
 *
 * @param keys ascending (by code unit), each once; at least one
 * @param last the key picked before; it may no longer be a member
 */
export function nextAfter(keys: readonly string[], last: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) <= last) low = middle + 1;
    else high = middle;
  }
  return low === keys.length ? 0 : low;
}
