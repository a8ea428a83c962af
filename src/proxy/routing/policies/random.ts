// Two targets drawn at random, by weight, and the one of them with fewer open requests for its weight. Many isolates
// that know nothing of each other do not all run to the one that looks best ("the power of two choices").

import type { PickContext, PickPolicy } from "./pick-policy.ts";

/** Draws before all are gone over: with half of the targets out, one in 250 picks comes that far. */
const draws = 8;

export const randomOfTwo: PickPolicy = (choice) => {
  const first = draw(choice, choice.isAvailable);
  if (first < 0) return -1;
  const second = draw(choice, (index) => index !== first && choice.isAvailable(index));
  if (second < 0) return first;
  const { open, weight } = choice;
  return open(second) / weight(second) < open(first) / weight(first) ? second : first;
};

function draw(
  { targets, weight, hasEqualWeights, isWarm, random }: PickContext,
  may: (index: number) => boolean,
): number {
  for (let left = hasEqualWeights && isWarm ? draws : 0; left > 0; left -= 1) {
    const index = Math.floor(random() * targets.length);
    if (index < targets.length && may(index)) return index;
  }
  let total = 0;
  for (let index = 0; index < targets.length; index += 1) if (may(index)) total += weight(index);
  let left = random() * total;
  let last = -1;
  for (let index = 0; index < targets.length; index += 1) {
    if (!may(index)) continue;
    last = index;
    left -= weight(index);
    if (left < 0) break;
  }
  return last;
}
