// A choice: what a policy is given to pick one of a ring's targets by.

import type { Target } from "../target-pool.ts";

export type PickContext = {
  /** Ascending by id. */
  readonly targets: readonly Target[];
  /** Whether the target at an index may be picked: not tried, not passed over, not full. */
  readonly isAvailable: (index: number) => boolean;
  /** Its weight now, above 0; a slow start makes it less than the table's. */
  readonly weight: (index: number) => number;
  /** True where all weights in the table are alike. */
  readonly hasEqualWeights: boolean;
  /** True where none is in its slow start. */
  readonly isWarm: boolean;
  /** Open requests that this isolate has with it. */
  readonly open: (index: number) => number;
  /** What a hashing policy goes by; null where the request has none. */
  readonly key: string | null;
  /** The next index in turn among those for which `may` holds, and moves the turn on; -1 when there is none. */
  readonly nextInTurn: (may: (index: number) => boolean) => number;
  /** What smooth round robin keeps from pick to pick, by target id. */
  readonly smoothWeights: Map<string, number>;
  /** [0, 1) */
  readonly random: () => number;
};

/** Picks an index, or -1 where none may be picked. */
export type PickPolicy = (choice: PickContext) => number;
