// The clock of an object that stands still. Inside one object workerd's clock never goes back: after the
// machine's clock was set back, it shows the same time until the machine's has caught up, and neither timers
// nor alarms run meanwhile. A new instance of the object starts with the right time. The Workers that call it
// see the machine's clock, because each request of theirs has a context of its own.

/** A caller's clock may be behind by this much, milliseconds. */
const callerSkewMs = 1_000;

export class ClockGuard {
  readonly #ctx: DurableObjectState;
  #latestMs = 0;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /**
   * Resets the object if its clock stands still ahead of a caller's. The caller calls again, agents redial.
   *
   * @param callerMs what the caller's clock shows, epoch milliseconds; undefined if it did not say
   */
  check(callerMs: number | undefined): void {
    const nowMs = Date.now();
    const stoodStill = nowMs === this.#latestMs;
    this.#latestMs = nowMs;
    if (!stoodStill || callerMs === undefined || nowMs - callerMs <= callerSkewMs) return;
    console.error({ what: "the clock was set back, and this object starts again to follow it" });
    this.#ctx.abort("the clock was set back");
  }
}
