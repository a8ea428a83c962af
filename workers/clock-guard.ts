// The clock of an object that stands still. Inside one object workerd's clock never goes back: after the
// machine's clock was set back, it shows the same time until the machine's has caught up, and neither timers
// nor alarms run meanwhile. A new instance of the object starts with the right time. The Workers that call it
// see the machine's clock, because each request of theirs has a context of its own.

/** How late a call may arrive that waits for its object to start, milliseconds. */
export const slowCallerSkewMs = 10_000;

export class ClockGuard {
  readonly #ctx: DurableObjectState;
  readonly #callerSkewMs: number;
  #latestMs = 0;

  /** @param callerSkewMs a caller's time may be behind by this much when it arrives, milliseconds */
  constructor(ctx: DurableObjectState, callerSkewMs = 1_000) {
    this.#ctx = ctx;
    this.#callerSkewMs = callerSkewMs;
  }

  /**
   * Resets the object if its clock stands still ahead of a caller's. The caller calls again, agents redial.
   *
   * @param callerMs what the caller's clock shows, epoch milliseconds; undefined if it did not say
   */
  check(callerMs: number | undefined): void {
    if (this.#standsStill(callerMs)) this.#reset();
  }

  /** True if the object's clock shows the same as at the last call, and is ahead of the caller's. */
  #standsStill(callerMs: number | undefined): boolean {
    const nowMs = Date.now();
    const stoodStill = nowMs === this.#latestMs;
    this.#latestMs = nowMs;
    return stoodStill && callerMs !== undefined && nowMs - callerMs > this.#callerSkewMs;
  }

  /** As `check`, for an object whose rows must be saved before. Then it throws, and resets the object soon. */
  checkAfterSaving(callerMs: number | undefined, save: () => void): void {
    if (!this.#standsStill(callerMs)) return;
    save();
    void this.#ctx.storage
      .sync()
      .then(
        () => this.#reset(),
        () => this.#reset(),
      )
      .catch(() => undefined);
    throw new Error("the clock was set back, and this object starts again to follow it");
  }

  #reset(): void {
    console.error({ what: "the clock was set back, and this object starts again to follow it" });
    this.#ctx.abort("the clock was set back");
  }
}
