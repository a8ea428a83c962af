// The target with the fewest open requests for its weight; where several have, they take turns by weight.

import type { PickPolicy } from "./pick-policy.ts";
import { roundRobin } from "./roundrobin.ts";

export const leastConn: PickPolicy = (choice) => {
  const { targets, isAvailable, weight, open } = choice;
  let least = Number.POSITIVE_INFINITY;
  const load = (index: number) => open(index) / weight(index);
  for (let index = 0; index < targets.length; index += 1) {
    if (isAvailable(index)) least = Math.min(least, load(index));
  }
  return roundRobin({ ...choice, isAvailable: (index) => isAvailable(index) && load(index) <= least });
};
