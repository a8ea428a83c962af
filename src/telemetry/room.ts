// The memory that items take, and how much detail one more gets.

import { bytesOfItem, type Detail, type ItemKind, itemShares, type TelemetryItem } from "./items.ts";

export class RoomForItems {
  /** By kind and detail, bytes. */
  readonly #used = new Map<string, number>();
  /** Memory of what isolates have, bytes. */
  isolateBytes = 0;
  /** When an item of a kind was last left out, epoch milliseconds. */
  readonly leftOutMs = new Map<ItemKind, number>();
  /** When items of a kind were last searched for idle ones, epoch milliseconds. */
  readonly searchedMs = new Map<ItemKind, number>();

  /** @param sign 1 to add the item, -1 to remove it */
  add(item: TelemetryItem, sign: 1 | -1): void {
    const key = `${item.kind} ${item.detail}`;
    this.#used.set(key, (this.#used.get(key) ?? 0) + sign * bytesOfItem(item));
  }

  /** The richest detail for which a kind has memory left; null if it has none. */
  detailFor(kind: ItemKind): Detail | null {
    for (const [detail, share] of itemShares[kind])
      if ((this.#used.get(`${kind} ${detail}`) ?? 0) < share) return detail;
    return null;
  }
}
