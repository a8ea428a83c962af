// The target with the fewest open requests for its weight; where several have, they take turns by weight.

import type { Pick } from "./choice.ts";
import { roundRobin } from "./roundrobin.ts";

export const leastConn: Pick = (choice) => {
  const { targets, may, weight, open } = choice;
  let least = Number.POSITIVE_INFINITY;
  const load = (index: number) => open(index) / weight(index);
  for (let index = 0; index < targets.length; index += 1) {
    if (may(index)) least = Math.min(least, load(index));
  }
  return roundRobin({ ...choice, may: (index) => may(index) && load(index) <= least });
};
