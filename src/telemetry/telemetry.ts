// The telemetry object without its runtime: applies deltas, saves them at intervals, reads snapshots.

import { clockToleranceMs } from "../domain/model/clock-tolerance.ts";
import { type Result, toResult } from "../domain/model/error.ts";
import { migrate } from "../storage/migrations.ts";
import type { SqlDatabase } from "../storage/sql-database.ts";
import { followClock } from "./clock.ts";
import { readDelta } from "./read-delta.ts";
import { readSnapshot } from "./read-snapshot.ts";
import type { Snapshot, SnapshotFilter } from "./snapshot.ts";
import { loadState, saveState, telemetrySchema } from "./telemetry-rows.ts";
import { addDelta, removeExpired, type TelemetryState } from "./telemetry-state.ts";
import { TelemetryWatch } from "./watch.ts";

/**
 * The interval of saves, and the most that a reset of the object loses. Milliseconds. Half of the time after
 * which an idle object is evicted, to write as few rows as possible.
 */
export const saveIntervalMs = 5_000;

/** The operations that clients call, in process or over RPC. */
export type TelemetryApi = {
  snapshot(filter: SnapshotFilter): Snapshot | Promise<Snapshot>;
};

/** Counts deltas: true if one was new. Refuses an invalid one. */
export type CounterSink = {
  count(delta: unknown): Result<boolean> | Promise<Result<boolean>>;
};

/** @see docs/decisions/0033-counting-in-the-isolate.md */
export class Telemetry implements TelemetryApi, CounterSink {
  readonly #database: SqlDatabase;
  readonly #clock: () => number;
  readonly #state: TelemetryState;
  readonly #watch = new TelemetryWatch();
  /** The time of the last save. */
  #savedMs = Number.NEGATIVE_INFINITY;
  /** The latest time of the clock; infinite before the first call, as the stored times may lie ahead. */
  #latestMs = Number.POSITIVE_INFINITY;

  constructor(database: SqlDatabase, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
    migrate(database, telemetrySchema, clock());
    this.#state = loadState(database, clock());
  }

  /** Applies a delta; true if it was new. Refuses an invalid one. Saves if a save is due. */
  count(delta: unknown): Result<boolean> {
    const nowMs = this.#now();
    const result = toResult(() => addDelta(this.#state, readDelta(delta), nowMs));
    const sinceMs = nowMs - this.#savedMs;
    if (this.hasUnsaved && (sinceMs >= saveIntervalMs || sinceMs < 0)) this.save();
    return result;
  }

  /** Counts deltas, each as JSON, as `count` does. True for one that is counted, or can never be. */
  countAll(
    deltas: readonly string[],
    _waitedMs: readonly number[],
  ): { readonly counted: readonly boolean[]; readonly isWatched: boolean } {
    const counted = deltas.map((text) => {
      const result = this.count(parsed(text));
      if (!result.ok) console.error({ message: "telemetry was refused", why: result.problem.message });
      return true;
    });
    return { counted, isWatched: this.#watch.isWatched(this.#now()) };
  }

  /** A person or program looks at current traffic. @returns true if the registry must be notified */
  noteLiveRead(): boolean {
    return this.#watch.read(this.#now());
  }

  /**
   * @throws if `saveFirst` is set and saving fails
   * @see docs/decisions/0050-save-counters-before-reporting.md
   */
  snapshot(filter: SnapshotFilter): Snapshot {
    if (filter.saveFirst === true && this.hasUnsaved) this.save();
    return readSnapshot(this.#state, this.#now(), filter);
  }

  /** True if there are changes since the last save. */
  get hasUnsaved(): boolean {
    return this.#state.changedKeys.size > 0;
  }

  /** Saves changed items, and removes expired ones. */
  save(): void {
    const nowMs = this.#now();
    saveState(this.#database, this.#state, removeExpired(this.#state, nowMs));
    this.#savedMs = nowMs;
  }

  /** The clock's time, after the state has followed a step back. */
  #now(): number {
    const nowMs = this.#clock();
    if (nowMs < this.#latestMs - clockToleranceMs) {
      followClock(this.#state, nowMs, this.#latestMs);
      this.#latestMs = nowMs;
    }
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    return nowMs;
  }
}

/** Undefined, which is no delta, if the text is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
