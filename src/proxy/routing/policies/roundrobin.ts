// Round robin by weight, smoothly interleaved: a, a, b, a, c for weights 3, 1, 1, and not a, a, a, b, c.
//
// nginx's algorithm: at each pick everybody's current rises by its weight, the highest is picked, and its current falls
// by the sum of all weights. Over each stretch of that many picks everybody gets exactly its weight. One that is passed
// over stands still meanwhile and goes on where it was. Where weights are alike, a turn remembered by the last member
// does the same without going over all.

import type { PickPolicy } from "./pick-policy.ts";

export const roundRobin: PickPolicy = ({
  targets,
  isAvailable,
  weight,
  hasEqualWeights,
  isWarm,
  nextInTurn,
  smoothWeights,
  random,
}) => {
  if (hasEqualWeights && isWarm) return nextInTurn(isAvailable);
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  let total = 0;
  const isNew = smoothWeights.size === 0;
  for (let index = 0; index < targets.length; index += 1) {
    if (!isAvailable(index)) continue;
    const { taskId } = targets[index] as (typeof targets)[number];
    const own = weight(index);
    // Isolates must not all begin with the heaviest.
    const current = (isNew ? random() * own : (smoothWeights.get(taskId) ?? 0)) + own;
    smoothWeights.set(taskId, current);
    total += own;
    if (current <= highest) continue;
    highest = current;
    best = index;
  }
  if (best >= 0) smoothWeights.set((targets[best] as (typeof targets)[number]).taskId, highest - total);
  if (smoothWeights.size > targets.length) forgetGone(smoothWeights, targets);
  return best;
};

function forgetGone(currents: Map<string, number>, targets: readonly { readonly taskId: string }[]): void {
  const there = new Set(targets.map(({ taskId }) => taskId));
  for (const id of currents.keys()) if (!there.has(id)) currents.delete(id);
}
