// The file descriptors that the Workers runtime has open. workerd ends when it cannot accept a connection, and
// it keeps connections to targets for 5 s after their requests, so that open requests do not give the number.

import { readdirSync } from "node:fs";

/**
 * Descriptors of the runtime for a request. workerd of 2026-11-17 opens each connection twice: two descriptors
 * for that from the listener, two for that to the target, of a GET, an upload and a WebSocket alike. A second
 * attempt needs two more.
 */
export const runtimeDescriptorsPerRequest = 5;

/** The part of the limit that requests may fill. The rest is for further attempts and for checks of servers. */
const usableShare = 0.9;

/** The runtime may have opened nothing yet for a request that began less than this before a count. */
const settleMs = 1_000;

const maxCountAgeMs = 1_000;

/** Listing a descriptor takes about 0.5 µs: with this, counts take at most a tenth of the time. */
const descriptorsPerMs = 200;

/**
 * Expects what the runtime has open: what was counted, and what requests since then add. Counts again before
 * it refuses a request. Off Linux, where nothing can be counted, it refuses no request.
 */
export class RuntimeDescriptors {
  readonly #usable: number;
  readonly #minCountAgeMs: number;
  readonly #pids = new Set<number>();
  #expected = 0;
  #countedAtMs = Number.NEGATIVE_INFINITY;

  /** @param limit the limit of each process of the runtime */
  constructor(limit: number) {
    this.#usable = limit * usableShare;
    this.#minCountAgeMs = limit / descriptorsPerMs;
  }

  /** Counts this process from here on, until it has ended. */
  watch(pid: number): void {
    this.#pids.add(pid);
    this.#countedAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Adds a request. False if the runtime may not have the descriptors for it.
   *
   * @param nowMs of a clock that never goes back
   * @param openSince the number of open requests that began at a time or later
   */
  begin(nowMs: number, openSince: (sinceMs: number) => number): boolean {
    const ageMs = nowMs - this.#countedAtMs;
    const isFull = this.#expected + runtimeDescriptorsPerRequest > this.#usable;
    if (ageMs > maxCountAgeMs || (isFull && ageMs > this.#minCountAgeMs)) {
      this.#countedAtMs = nowMs;
      this.#expected = this.#count() + openSince(nowMs - settleMs) * runtimeDescriptorsPerRequest;
    }
    if (this.#pids.size === 0) return true;
    if (this.#expected + runtimeDescriptorsPerRequest > this.#usable) return false;
    this.#expected += runtimeDescriptorsPerRequest;
    return true;
  }

  /** The descriptors of the process that has most. */
  #count(): number {
    let most = 0;
    for (const pid of this.#pids) {
      try {
        most = Math.max(most, readdirSync(`/proc/${pid}/fd`).length);
      } catch {
        // It has ended, or this is not Linux.
        this.#pids.delete(pid);
      }
    }
    return most;
  }
}
