// The target that a key leads to, the same in every isolate without a word between them: rendezvous hashing.
//
// Each target gets a score from its id and the key together, and the highest wins. A target that comes takes over
// exactly the keys it scores highest for, one in n; one that goes, or may not be picked now, leaves each of its keys to
// that key's second best. A weight w makes the score -w / ln(u), for which the highest falls to each target in
// proportion to its weight (Schindelhauer and Schomaker, 2005). A pick goes over all targets: a thousand take some five
// microseconds, and nothing has to be built anew when the table changes but one number a target.

import { fnv1a } from "../../../domain/model/fnv.ts";
import type { Target } from "../target-pool.ts";
import type { PickPolicy } from "./pick-policy.ts";
import { roundRobin } from "./roundrobin.ts";

export const byHash: PickPolicy = (choice) => {
  const { targets, isAvailable, hasEqualWeights, key } = choice;
  if (key === null) return roundRobin(choice);
  const seeds = seedsOf(targets);
  const hashed = hash32(key);
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < targets.length; index += 1) {
    const mixed = mix(Math.imul((seeds[index] as number) ^ hashed, 0x9e3779b1) + (seeds[index] as number));
    const score = hasEqualWeights ? mixed : weighted(mixed, (targets[index] as Target).share.weight);
    if (score > highest && isAvailable(index)) {
      highest = score;
      best = index;
    }
  }
  return best;
};

/** `mixed` is one of 2^32 numbers, all alike likely. */
function weighted(mixed: number, weight: number): number {
  return -weight / Math.log((mixed + 0.5) / 0x1_0000_0000);
}

const known = new WeakMap<readonly Target[], Uint32Array>();

function seedsOf(targets: readonly Target[]): Uint32Array {
  const seeds = known.get(targets);
  if (seeds !== undefined) return seeds;
  const made = Uint32Array.from(targets, ({ taskId }) => hash32(taskId));
  known.set(targets, made);
  return made;
}

/** FNV-1a, mixed. It guards nothing: who chooses a key chooses where it leads anyway. */
export function hash32(text: string): number {
  return mix(fnv1a(text));
}

/** MurmurHash3's finalizer: every bit of the input turns about half of the output's. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
