// Telemetry without a runtime: counts deltas in, saves now and then, answers with snapshots.

import { type Result, toResult } from "../domain/model/error.ts";
import { migrate } from "../storage/migrations.ts";
import type { SqlDatabase } from "../storage/sql-database.ts";
import { readDelta } from "./read-delta.ts";
import { readSnapshot } from "./read-snapshot.ts";
import type { Snapshot, SnapshotFilter } from "./snapshot.ts";
import { loadState, saveState, telemetrySchema } from "./telemetry-rows.ts";
import { addDelta, removeExpired, type TelemetryState } from "./telemetry-state.ts";

/**
 * What was counted is saved this often, milliseconds: at most so much is lost when the object is reset. Half of the
 * time after which an idle object is evicted, and the rows written are as few as can be.
 */
export const saveIntervalMs = 5_000;

/** What the telemetry object offers its callers, here or over RPC. */
export type TelemetryApi = {
  snapshot(filter: SnapshotFilter): Snapshot | Promise<Snapshot>;
};

export class Telemetry implements TelemetryApi {
  readonly #database: SqlDatabase;
  readonly #clock: () => number;
  readonly #state: TelemetryState;
  /** When it was last saved, or read. */
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(database: SqlDatabase, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
    migrate(database, telemetrySchema, clock());
    this.#state = loadState(database, clock());
  }

  /** Counts a delta in; true when it was new. What is none is refused. Saves when that is due. */
  count(delta: unknown): Result<boolean> {
    const counted = toResult(() => addDelta(this.#state, readDelta(delta), this.#clock()));
    const sinceMs = this.#clock() - this.#savedMs;
    if (this.hasUnsaved && (sinceMs >= saveIntervalMs || sinceMs < 0)) this.save();
    return counted;
  }

  /** Throws when what was counted is to be saved first, and cannot be. */
  snapshot(filter: SnapshotFilter): Snapshot {
    if (filter.saveFirst === true && this.hasUnsaved) this.save();
    return readSnapshot(this.#state, this.#clock(), filter);
  }

  /** Whether something was counted that is not saved. */
  get hasUnsaved(): boolean {
    return this.#state.changedKeys.size > 0;
  }

  /** Saves what was counted, and forgets what is long gone. */
  save(): void {
    const nowMs = this.#clock();
    saveState(this.#database, this.#state, removeExpired(this.#state, nowMs));
    this.#savedMs = nowMs;
  }
}
