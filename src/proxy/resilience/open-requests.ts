// Open requests: how many this isolate has with each task, from when one is sent until its answer begins.
//
// What a request opens it also closes, but a request whose client goes away may be ended anywhere. So each is counted for
// a time only, and one that was never closed stops counting by itself.

export type OpenRequest = {
  readonly taskId: string;
  /** Counts no longer than this, epoch milliseconds. */
  untilMs: number;
};

export class OpenRequests {
  readonly #byTask = new Map<string, Set<OpenRequest>>();

  /** How many there are, as far as is known. Policies ask this of every task for every request. */
  of(taskId: string, nowMs: number): number {
    const open = this.#byTask.get(taskId);
    if (open === undefined) return 0;
    // Oldest first: behind one that counts, one that does not counts a little longer, and nobody goes over them all.
    for (const one of open) {
      if (one.untilMs > nowMs) break;
      this.close(one);
    }
    return open.size;
  }

  /** Whether a task has as many as it may have. */
  isFull(taskId: string, maxconn: number, nowMs: number): boolean {
    const open = this.#byTask.get(taskId);
    if (open === undefined || open.size < maxconn) return false;
    for (const one of open) if (one.untilMs <= nowMs) this.close(one);
    return open.size >= maxconn;
  }

  open(taskId: string, untilMs: number): OpenRequest {
    const one = { taskId, untilMs };
    const open = this.#byTask.get(taskId);
    if (open === undefined) this.#byTask.set(taskId, new Set([one]));
    else open.add(one);
    return one;
  }

  /** Closing what is closed changes nothing. */
  close(one: OpenRequest): void {
    const open = this.#byTask.get(one.taskId);
    if (open?.delete(one) && open.size === 0) this.#byTask.delete(one.taskId);
  }
}
