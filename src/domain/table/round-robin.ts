// A ring: round robin over members that come and go, remembered by the last one picked.

/**
 * Index of the member after `last`, going round: the first key greater than it, else the first.
 *
 * Between two picks of one member every other member that stays is passed exactly once, so shares of those that stay
 * differ by at most one, whatever joins and leaves; a plain counter modulo the length has no such bound.
 *
 * @param keys ascending (by code unit), each once
 * @param last key picked before; it need not be a member any more
 * @returns -1 when there is no member
 */
export function nextAfter(keys: readonly string[], last: string | undefined): number {
  if (keys.length === 0) return -1;
  if (last === undefined) return 0;
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) <= last) low = middle + 1;
    else high = middle;
  }
  return low === keys.length ? 0 : low;
}
