// The frozen-target detector: distinguishes a frozen or unreachable target from a slow one.
//
// A safe request is hedged while it waits, so the outcome of its first attempt would never be known.
// Therefore one such attempt per target is watched: it stays open after its client got a response. If the
// target has sent nothing since that attempt, it counts as frozen. Any response, however late, ends that: a
// slow target responds to its watched attempt.

/** Maximum age of a watched attempt: the platform ends background work 30 s after the response. */
const maxWatchMs = 30_000;
/** A wait of this many times the service's p99 exceeds its slow responses. */
const frozenP99Factor = 4;

/** @see docs/decisions/0025-frozen-targets.md */
export class FrozenDetector {
  /** When each target's watched attempt was sent, epoch milliseconds. */
  readonly #watchedSinceMs = new Map<string, number>();
  /** False while no watched attempt is open, so that most responses need no record. */
  hasAny = false;

  /** Records that another target served a request sent to this one. True if its attempt is watched now. */
  watch(taskId: string, sentMs: number, nowMs: number): boolean {
    const sinceMs = this.#watchedSinceMs.get(taskId);
    if (sinceMs !== undefined && nowMs - sinceMs < maxWatchMs) return false;
    for (const [id, ms] of this.#watchedSinceMs)
      if (nowMs - ms >= maxWatchMs) this.#watchedSinceMs.delete(id);
    this.#watchedSinceMs.set(taskId, sentMs);
    this.hasAny = true;
    return true;
  }

  /** Records that a target responded, or ended a connection. */
  responded(taskId: string): void {
    this.#watchedSinceMs.delete(taskId);
    this.hasAny = this.#watchedSinceMs.size > 0;
  }

  /**
   * True if a request waits for a frozen target.
   *
   * @param sentMs when the request was sent, epoch milliseconds; the target must be silent since then as well
   * @param frozenMs how long the target must be silent
   * @param p99Ms the p99 of the service's response times; 0 while it is unknown
   * @see docs/spec.md Y21-Y22
   */
  isFrozen(taskId: string, sentMs: number, nowMs: number, frozenMs: number, p99Ms: number): boolean {
    const sinceMs = this.#watchedSinceMs.get(taskId);
    if (sinceMs === undefined || nowMs - sinceMs >= maxWatchMs) return false;
    return nowMs - Math.max(sinceMs, sentMs) >= Math.max(frozenMs, frozenP99Factor * p99Ms);
  }
}
