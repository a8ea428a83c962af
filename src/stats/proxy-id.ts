// Assigns HAProxy's `iid`, a proxy's number in readers and forms, which must not change with other services.

import { fnv1a } from "../domain/model/fnv.ts";

/** The number of the proxy over the nodes; services have higher ones. */
export const nodesProxyId = 1;

/**
 * A number for each id: its hash, or the next free number if an older id has that hash.
 *
 * @param ids oldest first
 */
export function proxyIds(ids: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Set([nodesProxyId]);
  const numbers = new Map<string, number>();
  for (const id of ids) {
    // 31 bits, since some readers use a signed integer.
    let number = fnv1a(id) & 0x7fffffff;
    while (taken.has(number)) number = (number % 0x7fffffff) + 1;
    taken.add(number);
    numbers.set(id, number);
  }
  return numbers;
}
