// Outliers: tasks that failed under this isolate's own hands a moment ago, so that the next request does not find out
// again before the registry and the table do.

/** How long a failed task is passed over, milliseconds: about what a health check and a table refresh take. */
const ejectedMs = 2_000;

export class Outliers {
  readonly #untilMs = new Map<string, number>();

  /** Takes in that a task could not be reached. */
  add(taskId: string, nowMs: number): void {
    for (const [id, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(id);
    this.#untilMs.set(taskId, nowMs + ejectedMs);
  }

  /** False while nothing failed lately, so that the usual request asks no further. */
  get any(): boolean {
    return this.#untilMs.size > 0;
  }

  /** True while a task is passed over, as long as there are others. */
  has(taskId: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(taskId);
    if (untilMs === undefined) return false;
    if (untilMs > nowMs) return true;
    this.#untilMs.delete(taskId);
    return false;
  }
}
