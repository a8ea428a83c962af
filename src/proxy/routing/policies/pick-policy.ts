// The interface of a policy: picks one target of a pool.

import type { Target } from "../target-pool.ts";

/** The state that a policy picks by. A target is named by its index. */
export type PickContext = {
  /** Ascending by id. */
  readonly targets: readonly Target[];
  /** True if a target may be picked: it is not tried, ejected or full. */
  readonly isAvailable: (index: number) => boolean;
  /** Current weight, above 0; less than the table's during slow start. */
  readonly weight: (index: number) => number;
  /** All weights of the table are equal. */
  readonly hasEqualWeights: boolean;
  /** No target is in slow start. */
  readonly isWarm: boolean;
  /** Open requests of this isolate with a target. */
  readonly open: (index: number) => number;
  /** The key that a hashing policy hashes; null if the request has none. */
  readonly key: string | null;
  /** Moves the cursor of plain round robin to the next available index; -1 without one. */
  readonly nextInTurn: (isAvailable: (index: number) => boolean) => number;
  /** The state of smooth weighted round robin, by target id. */
  readonly smoothWeights: Map<string, number>;
  /** [0, 1) */
  readonly random: () => number;
};

/** Picks an index; -1 if no target is available. */
export type PickPolicy = (context: PickContext) => number;
