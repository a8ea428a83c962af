// Rendezvous hashing: maps a key to a target, the same in every isolate without coordination.
//
// Each target gets a score from its id and the key, and the highest wins. A new target takes over exactly the
// keys for which it scores highest, one in n. A target that is removed or unavailable leaves each of its keys
// to the target with the second highest score. With the weighted score -w / ln(u), each target wins in
// proportion to its weight (Schindelhauer and Schomaker, 2005). A pick scores all targets: a thousand take
// about five microseconds. A change of the table rebuilds only one number per target.

import { fnv1a } from "../../../domain/model/fnv.ts";
import type { Target } from "../target-pool.ts";
import type { PickPolicy } from "./pick-policy.ts";
import { roundRobin } from "./roundrobin.ts";

/** @see docs/decisions/0020-policies-in-haproxy-words.md */
export const byHash: PickPolicy = (context) => {
  const { targets, isAvailable, hasEqualWeights, key } = context;
  if (key === null) return roundRobin(context);
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

/** The score of a weighted target. `mixed` is uniformly distributed over 2^32 numbers. */
function weighted(mixed: number, weight: number): number {
  return -weight / Math.log((mixed + 0.5) / 0x1_0000_0000);
}

const seedsByTargets = new WeakMap<readonly Target[], Uint32Array>();

/** The hashes of the targets' ids, computed once per pool. */
function seedsOf(targets: readonly Target[]): Uint32Array {
  const known = seedsByTargets.get(targets);
  if (known !== undefined) return known;
  const seeds = Uint32Array.from(targets, ({ taskId }) => hash32(taskId));
  seedsByTargets.set(targets, seeds);
  return seeds;
}

/** FNV-1a with a finalizer. It need not resist attacks: a client chooses its key anyway. */
export function hash32(text: string): number {
  return mix(fnv1a(text));
}

/** MurmurHash3's finalizer: each bit of the input changes about half of the output's. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
