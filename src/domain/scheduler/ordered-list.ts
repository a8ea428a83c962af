// Lists that stay in order. Finding a place takes few comparisons, and moving what lies behind it is one copy.

type Compare<T> = (a: T, b: T) => number;

export function insertInOrder<T>(list: T[], item: T, compare: Compare<T>): void {
  list.splice(placeOf(list, item, compare), 0, item);
}

/** Removes the item that compares as equal to `item`, if there is one. No two items of the list are equal. */
export function removeInOrder<T>(list: T[], item: T, compare: Compare<T>): void {
  const at = placeOf(list, item, compare);
  const found = list[at];
  if (found !== undefined && compare(found, item) === 0) list.splice(at, 1);
}

/** The index of the first item that does not come before `item`. */
function placeOf<T>(list: readonly T[], item: T, compare: Compare<T>): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(list[middle] as T, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
