// Numbers for what the mesh knows by longer names: HAProxy's readers and its forms call a proxy by a number, and it has
// to be the same one after others came and went.

/** The proxy over the nodes; services have higher numbers. */
export const nodesProxyId = 1;

/** FNV-1a, 32 bits (draft-eastlake-fnv-17). */
const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;

/**
 * A number for each id, its own as long as no older one hashes to the same: then the next free one.
 *
 * @param ids oldest first
 */
export function proxyIds(ids: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Set([nodesProxyId]);
  const numbers = new Map<string, number>();
  for (const id of ids) {
    let number = hash(id);
    while (taken.has(number)) number = (number % 0x7fffffff) + 1;
    taken.add(number);
    numbers.set(id, number);
  }
  return numbers;
}

/** 31 bits: some readers keep it in a signed integer. */
function hash(id: string): number {
  let value = offsetBasis;
  for (const byte of new TextEncoder().encode(id)) value = Math.imul(value ^ byte, prime);
  return value & 0x7fffffff;
}
