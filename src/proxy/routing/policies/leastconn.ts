// Least connections: the target with the fewest open requests for its weight; round robin between equals.

import type { PickPolicy } from "./pick-policy.ts";
import { roundRobin } from "./roundrobin.ts";

export const leastConn: PickPolicy = (context) => {
  const { targets, isAvailable, weight, open } = context;
  const loadOf = (index: number) => open(index) / weight(index);
  let minLoad = Number.POSITIVE_INFINITY;
  for (let index = 0; index < targets.length; index += 1) {
    if (isAvailable(index)) minLoad = Math.min(minLoad, loadOf(index));
  }
  return roundRobin({ ...context, isAvailable: (index) => isAvailable(index) && loadOf(index) <= minLoad });
};
