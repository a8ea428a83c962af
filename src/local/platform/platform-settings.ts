// The rules of a mesh under the platform's rules that have a size: what `waggle up --edge` sets, and its Worker reads.

import type { ObjectCounts } from "./object-counts.ts";
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
  /** When they were read, epoch milliseconds. */
  readonly atMs: number;
  /** Requests to isolates. */
  readonly requests: number;
  /** Isolates that were evicted. */
  readonly evictions: number;
  /** Requests to objects, and those refused by an overloaded one. */
  readonly objectRequests: number;
  readonly overloads: number;
  readonly rows: RowCounts;
  /** Requests to objects by caller and binding, such as `isolate REGISTRY`. */
  readonly calls: Readonly<Record<string, CallCounts>>;
  /** By binding, such as `REGISTRY`. */
  readonly objects: Readonly<Record<string, ObjectCounts>>;
};

/** Calls that were answered. */
export type CallCounts = {
  readonly count: number;
  /** Of the texts and bytes in replies to calls by RPC. */
  readonly replyBytes: number;
};
