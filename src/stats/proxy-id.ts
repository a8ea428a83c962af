// Numbers for what the mesh knows by longer names: HAProxy's readers and its forms call a proxy by a number, and it has
// to be the same one after others came and went.

import { fnv1a } from "../domain/model/fnv.ts";

/** The proxy over the nodes; services have higher numbers. */
export const nodesProxyId = 1;

/**
 * A number for each id, its own as long as no older one hashes to the same: then the next free one.
 *
 * @param ids oldest first
 */
export function proxyIds(ids: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Set([nodesProxyId]);
  const numbers = new Map<string, number>();
  for (const id of ids) {
    // 31 bits: some readers keep it in a signed integer.
    let number = fnv1a(id) & 0x7fffffff;
    while (taken.has(number)) number = (number % 0x7fffffff) + 1;
    taken.add(number);
    numbers.set(id, number);
  }
  return numbers;
}
