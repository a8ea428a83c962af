// Suspects: ejected targets to report. The registry has their agents probe them at once.

/** Minimum time between two reports to the registry, milliseconds. */
const reportIntervalMs = 1_000;
/** Maximum suspects of one report: with more, the cause is elsewhere. */
const maxSuspects = 100;

export class SuspectList {
  readonly #ids = new Set<string>();
  #reportedMs = Number.NEGATIVE_INFINITY;
  /** False while there is nothing to report. */
  hasAny = false;

  /** Records that a target was ejected. */
  add(taskId: string): void {
    if (this.#ids.size < maxSuspects) this.#ids.add(taskId);
    this.hasAny = true;
  }

  /** Ids to report now, each once; null when there is nothing to report or the last report is too recent. */
  due(nowMs: number): readonly string[] | null {
    if (this.#ids.size === 0 || nowMs - this.#reportedMs < reportIntervalMs) return null;
    this.#reportedMs = nowMs;
    const ids = [...this.#ids];
    this.#ids.clear();
    this.hasAny = false;
    return ids;
  }
}
