// What the platform bills the Durable Objects of one class for: events, the time in which objects are active, rows and
// stored bytes.

import type { RowCounts } from "./row-budget.ts";

/** Events of one kind. */
type HandledEvents = {
  readonly count: number;
  /** Wall-clock time until each was handled, summed. Milliseconds. */
  readonly ms: number;
};

export type ObjectCounts = {
  /** By method: those that callers name, `fetch`, `alarm`, `webSocketMessage`. */
  readonly events: Readonly<Record<string, HandledEvents>>;
  /** From a constructor to the first event, and the rows that were read meanwhile. */
  readonly starts: HandledEvents & { readonly rowsRead: number };
  /**
   * Time in which an object handled at least one event, summed over objects. Milliseconds. A waiting object that may
   * hibernate is not billed.
   *
   * @see https://developers.cloudflare.com/durable-objects/platform/pricing/
   */
  readonly activeMs: number;
  readonly rows: RowCounts;
  /** Of the databases after the last events of their objects. */
  readonly storedBytes: number;
};

/**
 * An event that takes longer counts as over: its caller has gone, and the runtime has dropped it without a sign. Above
 * the longest wait of a call, which is 25 s.
 */
const maxEventMs = 30_000;

/** Counts for all objects of a class. */
export class ClassMeter {
  readonly #events: Record<string, { count: number; ms: number }> = {};
  readonly #starts = { count: 0, ms: 0, rowsRead: 0 };
  readonly #rows = { read: 0, written: 0 };
  readonly #storedBytes = new Map<string, number>();
  readonly #running = new Set<ObjectMeter>();
  readonly #newest = new Map<string, ObjectMeter>();
  #activeMs = 0;

  /** An object starts. @param id of the object, the same after each start */
  start(id: string, nowMs: number): ObjectMeter {
    this.#newest.get(id)?.end(nowMs);
    const started = new ObjectMeter(
      {
        onActive: (object) => this.#running.add(object),
        onInactive: (object, ms) => {
          this.#running.delete(object);
          this.#activeMs += ms;
        },
        onStarted: (ms, rowsRead) => {
          this.#starts.count += 1;
          this.#starts.ms += ms;
          this.#starts.rowsRead += rowsRead;
        },
        onHandled: (name, ms) => {
          this.#events[name] ??= { count: 0, ms: 0 };
          this.#events[name].count += 1;
          this.#events[name].ms += ms;
        },
        onRows: ({ read, written }) => {
          this.#rows.read += read;
          this.#rows.written += written;
        },
        onStored: (bytes) => this.#storedBytes.set(id, bytes),
      },
      nowMs,
    );
    this.#newest.set(id, started);
    return started;
  }

  /** The counts so far. Events in progress count in the active time only. */
  counts(nowMs: number): ObjectCounts {
    for (const object of [...this.#running]) object.expire(nowMs);
    const runningMs = [...this.#running].reduce((sum, object) => sum + object.activeForMs(nowMs), 0);
    return {
      events: structuredClone(this.#events),
      starts: { ...this.#starts },
      activeMs: this.#activeMs + runningMs,
      rows: { ...this.#rows },
      storedBytes: [...this.#storedBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
    };
  }
}

type Receiver = {
  readonly onActive: (object: ObjectMeter) => void;
  readonly onInactive: (object: ObjectMeter, ms: number) => void;
  readonly onStarted: (ms: number, rowsRead: number) => void;
  readonly onHandled: (name: string, ms: number) => void;
  readonly onRows: (rows: RowCounts) => void;
  readonly onStored: (bytes: number) => void;
};

/** Counts for one object, from its start to its end. */
class ObjectMeter {
  readonly #receiver: Receiver;
  readonly #startedMs: number;
  #rowsReadAtStart: number | null = 0;
  /** Start times of the events in progress, by number. */
  readonly #open = new Map<number, number>();
  #events = 0;
  #activeSinceMs = 0;
  #hasEnded = false;

  constructor(receiver: Receiver, nowMs: number) {
    this.#receiver = receiver;
    this.#startedMs = nowMs;
  }

  /** An event begins. @returns what ends it */
  begin(name: string, nowMs: number): (endMs: number, storedBytes: number) => void {
    if (this.#rowsReadAtStart !== null) {
      this.#receiver.onStarted(nowMs - this.#startedMs, this.#rowsReadAtStart);
      this.#rowsReadAtStart = null;
    }
    this.expire(nowMs);
    if (this.#open.size === 0) {
      this.#activeSinceMs = nowMs;
      this.#receiver.onActive(this);
    }
    this.#events += 1;
    const number = this.#events;
    this.#open.set(number, nowMs);
    return (endMs, storedBytes) => {
      if (this.#hasEnded) return;
      this.#receiver.onHandled(name, endMs - nowMs);
      this.#receiver.onStored(storedBytes);
      this.expire(endMs);
      this.#close(number, endMs);
    };
  }

  /** Ends events that nothing waits for any more. */
  expire(nowMs: number): void {
    for (const [number, startedMs] of [...this.#open])
      if (nowMs - startedMs > maxEventMs) this.#close(number, startedMs + maxEventMs);
  }

  /** The object is active until the last event ends; they are closed in the order of their starts. */
  #close(number: number, endMs: number): void {
    if (this.#open.delete(number) && this.#open.size === 0)
      this.#receiver.onInactive(this, this.activeForMs(endMs));
  }

  countRows(rows: RowCounts): void {
    if (this.#rowsReadAtStart !== null) this.#rowsReadAtStart += rows.read;
    this.#receiver.onRows(rows);
  }

  /** The object is reset, or was evicted: its events end without a result. */
  end(nowMs: number): void {
    this.expire(nowMs);
    for (const number of [...this.#open.keys()]) this.#close(number, nowMs);
    this.#hasEnded = true;
  }

  activeForMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#activeSinceMs);
  }
}

export type { ObjectMeter };
