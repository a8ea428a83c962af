// The frozen-target detector: tells a target that is frozen or unreachable from one that is slow.
//
// Both keep requests waiting, and a safe request is hedged meanwhile, so that the first attempt's end would never be
// known. Therefore one such attempt per target stays open after its client got a response: the witness. While it is open
// and the target has sent nothing since the witness was sent, the target counts as frozen. One response, however late,
// ends that: a slow target responds to its witness.

/** A witness counts no longer than this: the platform ends what a request left behind after 30 s. Milliseconds. */
const maxWitnessMs = 30_000;
/** A response that takes this many times a service's p99 is beyond its slow ones. */
const frozenP99Factor = 4;

export class FrozenDetector {
  /** When each target's witness was sent, epoch milliseconds. */
  readonly #witnessMs = new Map<string, number>();
  /** False while no witness is open, so that most responses need no record. */
  hasAny = false;

  /** Records that another target responded to a request sent to this one. True when the attempt is to stay open as witness. */
  watch(taskId: string, sentMs: number, nowMs: number): boolean {
    const sinceMs = this.#witnessMs.get(taskId);
    if (sinceMs !== undefined && nowMs - sinceMs < maxWitnessMs) return false;
    for (const [id, ms] of this.#witnessMs) if (nowMs - ms >= maxWitnessMs) this.#witnessMs.delete(id);
    this.#witnessMs.set(taskId, sentMs);
    this.hasAny = true;
    return true;
  }

  /** Records that a target responded, or ended a connection. */
  responded(taskId: string): void {
    this.#witnessMs.delete(taskId);
    this.hasAny = this.#witnessMs.size > 0;
  }

  /**
   * Whether a request waits for a frozen target.
   *
   * @param sentMs when the request was sent; it counts only from then on, as the witness does
   * @param frozenMs how long a target must be silent
   * @param p99Ms of the service's responses; 0 while it is unknown
   * @see docs/spec.md Y21-Y22
   */
  isFrozen(taskId: string, sentMs: number, nowMs: number, frozenMs: number, p99Ms: number): boolean {
    const sinceMs = this.#witnessMs.get(taskId);
    if (sinceMs === undefined || nowMs - sinceMs >= maxWitnessMs) return false;
    return nowMs - Math.max(sinceMs, sentMs) >= Math.max(frozenMs, frozenP99Factor * p99Ms);
  }
}
