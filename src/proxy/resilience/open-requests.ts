// Open requests: how many this isolate has with each target, from sending until the response begins.
//
// A request whose client disconnects may be ended anywhere, before it closes what it opened. So each open request counts
// for a limited time only, and one that was never closed expires.

export type OpenRequest = {
  readonly taskId: string;
  /** When it stops counting, epoch milliseconds. */
  untilMs: number;
};

export class OpenRequests {
  readonly #byTask = new Map<string, Set<OpenRequest>>();

  /** The number of open requests. Policies ask for that of every target for every request. */
  of(taskId: string, nowMs: number): number {
    const open = this.#byTask.get(taskId);
    if (open === undefined) return 0;
    // Oldest first: an expired one behind one that counts is counted a little longer, which spares going over all.
    for (const request of open) {
      if (request.untilMs > nowMs) break;
      this.close(request);
    }
    return open.size;
  }

  /** Whether a target has its maximum of open requests. */
  isFull(taskId: string, maxconn: number, nowMs: number): boolean {
    const open = this.#byTask.get(taskId);
    if (open === undefined || open.size < maxconn) return false;
    for (const request of open) if (request.untilMs <= nowMs) this.close(request);
    return open.size >= maxconn;
  }

  open(taskId: string, untilMs: number): OpenRequest {
    const request = { taskId, untilMs };
    const open = this.#byTask.get(taskId);
    if (open === undefined) this.#byTask.set(taskId, new Set([request]));
    else open.add(request);
    return request;
  }

  /** Closing twice changes nothing. */
  close(request: OpenRequest): void {
    const open = this.#byTask.get(request.taskId);
    if (open?.delete(request) && open.size === 0) this.#byTask.delete(request.taskId);
  }
}
