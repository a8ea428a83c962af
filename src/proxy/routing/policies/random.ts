// Random: draws two targets by weight and picks the one with fewer open requests for its weight ("the power
// of two choices"). Isolates that do not coordinate thus do not all choose the same target.

import type { PickContext, PickPolicy } from "./pick-policy.ts";

/** Draws before all targets are scanned. With half of the targets unavailable, one pick in 250 scans them. */
const maxDraws = 8;

export const randomOfTwo: PickPolicy = (context) => {
  const { open, weight, isAvailable } = context;
  const first = draw(context, isAvailable);
  if (first < 0) return -1;
  const second = draw(context, (index) => index !== first && isAvailable(index));
  if (second < 0) return first;
  return open(second) / weight(second) < open(first) / weight(first) ? second : first;
};

function draw(
  { targets, weight, hasEqualWeights, isWarm, random }: PickContext,
  isCandidate: (index: number) => boolean,
): number {
  for (let draws = hasEqualWeights && isWarm ? maxDraws : 0; draws > 0; draws -= 1) {
    const index = Math.floor(random() * targets.length);
    if (index < targets.length && isCandidate(index)) return index;
  }
  let total = 0;
  for (let index = 0; index < targets.length; index += 1) if (isCandidate(index)) total += weight(index);
  let rest = random() * total;
  let drawn = -1;
  for (let index = 0; index < targets.length; index += 1) {
    if (!isCandidate(index)) continue;
    drawn = index;
    rest -= weight(index);
    if (rest < 0) break;
  }
  return drawn;
}
