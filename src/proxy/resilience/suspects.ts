// Suspects: tasks this isolate passes over since a moment ago, to be named to the registry, whose agent then probes them
// at once instead of at its next turn.

/** The registry is told at most this often, milliseconds. */
const reportIntervalMs = 1_000;
/** More than these in one message would be an outage of something else. */
const maxSuspects = 100;

export class SuspectList {
  readonly #ids = new Set<string>();
  #reportedMs = Number.NEGATIVE_INFINITY;

  /** Takes in that a task is passed over from now on. */
  add(taskId: string): void {
    if (this.#ids.size < maxSuspects) this.#ids.add(taskId);
  }

  /** Ids to tell now, each once; null when there are none, or it is too soon. */
  due(nowMs: number): readonly string[] | null {
    if (this.#ids.size === 0 || nowMs - this.#reportedMs < reportIntervalMs) return null;
    this.#reportedMs = nowMs;
    const ids = [...this.#ids];
    this.#ids.clear();
    return ids;
  }
}
