// Judges the time of an attempt by the two clocks that an agent has: its own, and the registry's.

import { attemptWindowMs } from "../../gateway/attempt.ts";

/** What the clocks say at one moment, milliseconds. */
export type ClockReadings = {
  /** Epoch. */
  readonly wallMs: number;
  /** Epoch; null before the registry has stated its time. */
  readonly registryMs: number | null;
  /** Since any moment; it is never set. */
  readonly monotonicMs: number;
};

/**
 * - `current`: the attempt counts;
 * - `earlier`: it is from before this gateway started, which does not know whether another ran it;
 * - `outside`: it counts by neither clock.
 */
export type AttemptTime = "current" | "earlier" | "outside";

/** A router's clock may be behind by so much when the gateway has just started, milliseconds. */
const startToleranceMs = 1_000;

/**
 * Either clock is enough, because one of them may be wrong. Neither runs slower than the monotonic clock, so
 * that a clock that is set back makes no attempt count again after its id was forgotten.
 *
 * @see docs/decisions/0071-once-by-two-clocks.md
 */
export class AttemptClock {
  readonly #startedMs: number;
  /** What each clock is ahead of the monotonic one, at most so far. */
  #wallAheadMs = Number.NEGATIVE_INFINITY;
  #registryAheadMs = Number.NEGATIVE_INFINITY;

  /** @param startedMs by the monotonic clock */
  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** @param issuedMs epoch milliseconds */
  judge(issuedMs: number, { wallMs, registryMs, monotonicMs }: ClockReadings): AttemptTime {
    this.#wallAheadMs = Math.max(this.#wallAheadMs, wallMs - monotonicMs);
    if (registryMs !== null) {
      this.#registryAheadMs = Math.max(this.#registryAheadMs, registryMs - monotonicMs);
    }
    const clocks = [this.#wallAheadMs, this.#registryAheadMs];
    const agreeing = clocks.filter((aheadMs) => {
      return Math.abs(aheadMs + monotonicMs - issuedMs) <= attemptWindowMs;
    });
    if (agreeing.length === 0) return "outside";
    const earliestMs = this.#startedMs - startToleranceMs;
    return agreeing.some((aheadMs) => issuedMs >= aheadMs + earliestMs) ? "current" : "earlier";
  }
}
