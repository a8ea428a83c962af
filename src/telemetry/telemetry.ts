// Telemetry without a runtime: counts deltas in, saves now and then, answers with snapshots.

import { type Answer, answer } from "../domain/error.ts";
import { readDelta } from "./read-delta.ts";
import { snapshot } from "./read-snapshot.ts";
import type { Snapshot, SnapshotFilter } from "./snapshot.ts";
import { loadState, saveState, type TelemetrySql } from "./telemetry-rows.ts";
import { addDelta, forget, type TelemetryState } from "./telemetry-state.ts";

/**
 * What was counted is saved this often, milliseconds: at most so much is lost when the object is reset. Half of the
 * time after which an idle object is evicted, and the rows written are as few as can be.
 */
export const saveEveryMs = 5_000;

/** What the telemetry object offers its callers, here or over RPC. */
export type TelemetryApi = {
  snapshot(filter: SnapshotFilter): Snapshot | Promise<Snapshot>;
};

export class Telemetry implements TelemetryApi {
  readonly #sql: TelemetrySql;
  readonly #clock: () => number;
  readonly #state: TelemetryState;
  /** When it was last saved, or read. */
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(sql: TelemetrySql, clock: () => number) {
    this.#sql = sql;
    this.#clock = clock;
    this.#state = loadState(sql, clock());
  }

  /** Counts a delta in; true when it was new. What is none is refused. Saves when that is due. */
  count(delta: unknown): Answer<boolean> {
    const counted = answer(() => addDelta(this.#state, readDelta(delta), this.#clock()));
    const sinceMs = this.#clock() - this.#savedMs;
    if (this.unsaved && (sinceMs >= saveEveryMs || sinceMs < 0)) this.save();
    return counted;
  }

  /** Throws when what was counted is to be saved first, and cannot be. */
  snapshot(filter: SnapshotFilter): Snapshot {
    if (filter.kept === true && this.unsaved) this.save();
    return snapshot(this.#state, this.#clock(), filter);
  }

  /** Whether something was counted that is not saved. */
  get unsaved(): boolean {
    return this.#state.changed.size > 0;
  }

  /** Saves what was counted, and forgets what is long gone. */
  save(): void {
    const nowMs = this.#clock();
    saveState(this.#sql, this.#state, forget(this.#state, nowMs));
    this.#savedMs = nowMs;
  }
}
