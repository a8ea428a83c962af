// Suspects: tasks that routers say do not answer. One router's word may be its own trouble; when several agree, or
// there is no other to ask, the task's agent is to probe it now. In memory only: a suspicion is stale within seconds.

/** How long a router's word counts, milliseconds, and how soon a task is not probed again for it. */
const suspicionMs = 5_000;
/** Tasks one report may name; a router that suspects more has lost its own network. */
const maxSuspectReports = 64;

export class SuspectReports {
  /** By task, when each router last named it. */
  readonly #named = new Map<string, Map<string, number>>();
  /** When each task was last found suspect. */
  readonly #foundAtMs = new Map<string, number>();

  /**
   * Takes one router's word.
   *
   * @param liveRouters ids of the routers that route now
   * @returns those of the tasks that are suspect from now on
   */
  report(
    routerId: string,
    taskIds: readonly string[],
    liveRouters: readonly string[],
    nowMs: number,
  ): readonly string[] {
    this.#forget(nowMs);
    const isAlone = liveRouters.every((id) => id === routerId);
    return taskIds.slice(0, maxSuspectReports).filter((taskId) => {
      const named = this.#named.get(taskId) ?? new Map<string, number>();
      named.set(routerId, nowMs);
      this.#named.set(taskId, named);
      if (this.#foundAtMs.has(taskId) || (named.size < 2 && !isAlone)) return false;
      this.#foundAtMs.set(taskId, nowMs);
      return true;
    });
  }

  #forget(nowMs: number): void {
    for (const [taskId, named] of this.#named) {
      for (const [routerId, atMs] of named) if (atMs + suspicionMs <= nowMs) named.delete(routerId);
      if (named.size === 0) this.#named.delete(taskId);
    }
    for (const [taskId, atMs] of this.#foundAtMs) {
      if (atMs + suspicionMs <= nowMs) this.#foundAtMs.delete(taskId);
    }
  }
}
