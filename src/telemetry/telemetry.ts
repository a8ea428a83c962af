// The telemetry object without its runtime: applies deltas, saves them at intervals, reads snapshots.

import { clockToleranceMs } from "../domain/model/clock-tolerance.ts";
import { type Result, toResult } from "../domain/model/error.ts";
import type { SqlDatabase } from "../storage/sql-database.ts";
import { followClock } from "./clock.ts";
import { liveDelayMs } from "./coverage.ts";
import { type Delta, deltaText } from "./delta.ts";
import { readDelta } from "./read-delta.ts";
import { readSnapshot } from "./read-snapshot.ts";
import type { Snapshot, SnapshotFilter } from "./snapshot.ts";
import { addDelta, removeExpired, replayDelta, type TelemetryState } from "./telemetry-state.ts";
import { type JournalLine, type StoredLine, TelemetryStore } from "./telemetry-store.ts";
import { TelemetryWatch } from "./watch.ts";

/**
 * The interval of saves, and the most that a reset of the object loses. Milliseconds. Half of the time after
 * which an idle object is evicted, and of the time for which the registry collects deltas while no reader looks: then
 * each call is saved before its reply.
 */
export const saveIntervalMs = 5_000;
/** Characters of deltas after which a save does not wait for its time. */
const maxUnsavedCharacters = 1_000_000;
/** Characters of deltas that may wait for a save that fails; further ones are refused, and sent again. */
const maxFailingCharacters = 8_000_000;

/** The operations that clients call, in process or over RPC. */
export type TelemetryApi = {
  snapshot(filter: SnapshotFilter): Snapshot | Promise<Snapshot>;
};

/** Counts deltas: true if one was new. Refuses an invalid one. */
export type CounterSink = {
  count(delta: unknown): Result<boolean> | Promise<Result<boolean>>;
};

/**
 * @see docs/decisions/0033-counting-in-the-isolate.md
 * @see docs/decisions/0119-telemetry-that-fits.md
 */
export class Telemetry implements TelemetryApi, CounterSink {
  readonly #store: TelemetryStore;
  readonly #clock: () => number;
  readonly #state: TelemetryState;
  readonly #watch = new TelemetryWatch();
  /** Deltas that were applied and are not saved. */
  #unsaved: JournalLine[] = [];
  #unsavedCharacters = 0;
  /** The time of the last save. */
  #savedMs = Number.NEGATIVE_INFINITY;
  /** The latest time of the clock; infinite before the first call, as the stored times may lie ahead. */
  #latestMs = Number.NEGATIVE_INFINITY;

  constructor(database: SqlDatabase, clock: () => number) {
    this.#store = new TelemetryStore(database, clock());
    this.#clock = clock;
    const { state, journal } = this.#store.load(clock());
    this.#state = state;
    for (const line of journal) this.#replay(line);
    this.#latestMs = Number.POSITIVE_INFINITY;
  }

  /**
   * Applies a delta; true if it was new. Refuses an invalid one. Saves if a save is due.
   *
   * @param sentMs what its sender's clock showed, epoch milliseconds
   */
  count(delta: unknown, sentMs?: number): Result<boolean> {
    const result = toResult(() => {
      const valid = readDelta(delta);
      return this.#apply(valid, sentMs === undefined ? JSON.stringify(valid) : deltaText(valid, sentMs), 0);
    });
    this.#saveIfDue();
    return result;
  }

  /**
   * Counts deltas, each as JSON, and saves if a save is due.
   *
   * An invalid one is logged: it can never be counted.
   *
   * @param waitedMs how long each waited on its way, milliseconds
   */
  countAll(deltas: readonly string[], waitedMs: readonly number[] = []): { readonly isWatched: boolean } {
    for (const [at, text] of deltas.entries()) {
      const result = toResult(() => this.#apply(readDelta(parsed(text)), text, waitedMs[at] ?? 0));
      if (!result.ok) console.error({ message: "telemetry was refused", why: result.problem.message });
    }
    this.#saveIfDue();
    return { isWatched: this.#watch.isWatched(this.#now()) };
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
    const nowMs = this.#now();
    return readSnapshot(this.#state, nowMs, filter, this.#watch.watchedForMs(nowMs) >= liveDelayMs);
  }

  /** True if there are changes since the last save. */
  get hasUnsaved(): boolean {
    return this.#unsaved.length > 0;
  }

  /** Saves deltas and a part of the changed items, and removes expired ones. */
  save(): void {
    const nowMs = this.#now();
    removeExpired(this.#state, nowMs);
    this.#store.save(this.#state, this.#unsaved);
    this.#unsaved = [];
    this.#unsavedCharacters = 0;
    this.#savedMs = nowMs;
  }

  /** @throws Error if saving has failed for so long that there is no memory for more */
  #apply(delta: Delta, text: string, waitedMs: number): boolean {
    if (this.#unsavedCharacters > maxFailingCharacters)
      throw new Error("counters cannot be saved; send them again");
    const nowMs = this.#now();
    const isNew = addDelta(this.#state, delta, { nowMs, waitedMs });
    if (!isNew) return false;
    this.#unsaved.push({ line: this.#state.line, receivedMs: nowMs, waitedMs, text });
    this.#unsavedCharacters += text.length;
    return true;
  }

  #replay({ line, receivedMs, waitedMs, delta }: StoredLine): void {
    this.#moveClock(receivedMs);
    const valid = toResult(() => readDelta(delta));
    if (valid.ok) replayDelta(this.#state, valid.value, { nowMs: receivedMs, waitedMs }, line);
  }

  #saveIfDue(): void {
    const sinceMs = this.#now() - this.#savedMs;
    const isDue = sinceMs >= saveIntervalMs || sinceMs < 0 || this.#unsavedCharacters > maxUnsavedCharacters;
    if (this.hasUnsaved && isDue) this.save();
  }

  /** The clock's time, after the state has followed a step back. */
  #now(): number {
    const nowMs = this.#clock();
    this.#moveClock(nowMs);
    return nowMs;
  }

  #moveClock(nowMs: number): void {
    if (nowMs < this.#latestMs - clockToleranceMs) {
      followClock(this.#state, nowMs, this.#latestMs);
      this.#latestMs = nowMs;
    }
    this.#latestMs = Math.max(this.#latestMs, nowMs);
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
