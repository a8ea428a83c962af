// The rules of a mesh under the platform's rules that have a size: what `waggle up --edge` sets, and its Worker reads.

import type { RowCounts } from "./row-budget.ts";

export type PlatformSettings = {
  /** Round trip to every Durable Object, milliseconds. */
  readonly rttMs: number;
  /** Isolates of the data plane. */
  readonly isolates: number;
  /** Mean time between two evictions of an isolate, and between two resets of an object. Milliseconds; 0: never. */
  readonly evictEveryMs: number;
  readonly resetEveryMs: number;
  /** Requests that one object takes in a second. */
  readonly requestsPerSecond: number;
  /** Rows of all objects in a day; null: as many as they like. */
  readonly rowsPerDay: RowCounts | null;
  /** Of the random choices. */
  readonly seed: number;
};

/** What the Worker counts, since its start. */
export type PlatformCounts = {
  /** Requests to isolates. */
  readonly requests: number;
  /** Isolates that were evicted. */
  readonly evictions: number;
  /** Requests to objects, and those refused by an overloaded one. */
  readonly objectRequests: number;
  readonly overloads: number;
  readonly rows: RowCounts;
};
