// Round robin by weight, smoothly interleaved: a, a, b, a, c for weights 3, 1, 1, and not a, a, a, b, c.
//
// nginx's algorithm: at each pick everybody's current rises by its weight, the highest is picked, and its current falls
// by the sum of all weights. Over each stretch of that many picks everybody gets exactly its weight. One that is passed
// over stands still meanwhile and goes on where it was. Where weights are alike, a turn remembered by the last member
// does the same without going over all.

import type { Pick } from "./choice.ts";

export const roundRobin: Pick = ({ targets, may, weight, even, settled, inTurn, currents, random }) => {
  if (even && settled) return inTurn(may);
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  let total = 0;
  const isNew = currents.size === 0;
  for (let index = 0; index < targets.length; index += 1) {
    if (!may(index)) continue;
    const { taskId } = targets[index] as (typeof targets)[number];
    const own = weight(index);
    // Isolates must not all begin with the heaviest.
    const current = (isNew ? random() * own : (currents.get(taskId) ?? 0)) + own;
    currents.set(taskId, current);
    total += own;
    if (current <= highest) continue;
    highest = current;
    best = index;
  }
  if (best >= 0) currents.set((targets[best] as (typeof targets)[number]).taskId, highest - total);
  if (currents.size > targets.length) forgetGone(currents, targets);
  return best;
};

function forgetGone(currents: Map<string, number>, targets: readonly { readonly taskId: string }[]): void {
  const there = new Set(targets.map(({ taskId }) => taskId));
  for (const id of currents.keys()) if (!there.has(id)) currents.delete(id);
}
