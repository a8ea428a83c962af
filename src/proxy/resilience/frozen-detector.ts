// Silence: telling a task that is frozen or out of reach from one that is slow.
//
// Both keep requests waiting, and a safe request is asked of another task meanwhile; so nobody would learn what became
// of the first. Therefore one such request a task goes on listening after its client has been answered: the witness. As
// long as it waits, and nothing else was heard of the task since it was sent, the task is silent. One answer, however
// late, ends that: a slow task answers its witness.

/** A witness is not believed longer than this: the platform ends what a request left behind after 30 s. Milliseconds. */
const maxWitnessMs = 30_000;
/** A head that takes this many times a service's p99 is no longer one of its slow ones. */
const frozenP99Factor = 4;

export class FrozenDetector {
  /** When each witness was sent, by task. */
  readonly #since = new Map<string, number>();

  /** False while no witness waits, so that the usual answer notes nothing. */
  get any(): boolean {
    return this.#since.size > 0;
  }

  /** Takes in that a request to this task was answered by another one. True when it should go on listening. */
  watch(taskId: string, sentMs: number, nowMs: number): boolean {
    const since = this.#since.get(taskId);
    if (since !== undefined && nowMs - since < maxWitnessMs) return false;
    for (const [id, ms] of this.#since) if (nowMs - ms >= maxWitnessMs) this.#since.delete(id);
    this.#since.set(taskId, sentMs);
    return true;
  }

  /** Takes in that a task was heard: it answered, or ended a connection. */
  responded(taskId: string): void {
    this.#since.delete(taskId);
  }

  /**
   * Whether a request that was sent to a task waits in vain.
   *
   * @param sentMs when the request was sent; it has to have waited as long as the witness
   * @param p99Ms of the service's heads, 0 while nothing is known
   * @see docs/spec.md Y21-Y22
   */
  isFrozen(taskId: string, sentMs: number, nowMs: number, silentMs: number, p99Ms: number): boolean {
    const since = this.#since.get(taskId);
    if (since === undefined || nowMs - since >= maxWitnessMs) return false;
    return nowMs - Math.max(since, sentMs) >= Math.max(silentMs, frozenP99Factor * p99Ms);
  }
}
