// Smooth weighted round robin, as in nginx: a, a, b, a, c for weights 3, 1, 1, and not a, a, a, b, c.
//
// At each pick the current value of each available target rises by its weight; the target with the highest
// value is picked, and its value falls by the sum of all weights. In as many consecutive picks as that sum,
// each target is picked as often as its weight. An unavailable target keeps its value. With equal weights, a
// cursor gives the same shares without scoring all targets.

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
    const targetWeight = weight(index);
    // A random start, so that isolates do not all begin with the heaviest target.
    const current = (isNew ? random() * targetWeight : (smoothWeights.get(taskId) ?? 0)) + targetWeight;
    smoothWeights.set(taskId, current);
    total += targetWeight;
    if (current <= highest) continue;
    highest = current;
    best = index;
  }
  if (best >= 0) smoothWeights.set((targets[best] as (typeof targets)[number]).taskId, highest - total);
  if (smoothWeights.size > targets.length) removeStale(smoothWeights, targets);
  return best;
};

function removeStale(weights: Map<string, number>, targets: readonly { readonly taskId: string }[]): void {
  const ids = new Set(targets.map(({ taskId }) => taskId));
  for (const id of weights.keys()) if (!ids.has(id)) weights.delete(id);
}
