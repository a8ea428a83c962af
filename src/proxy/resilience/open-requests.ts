// Open requests: how many this isolate has with each target, from sending until the response begins.
//
// The runtime may end a request whose client disconnects before the request closes what it opened. Therefore
// each open request expires after a limited time.

export type OpenRequest = {
  readonly taskId: string;
  /** When it stops counting, epoch milliseconds. */
  untilMs: number;
};

/** @see docs/decisions/0022-limits-and-queues-per-isolate.md */
export class OpenRequests {
  readonly #byTask = new Map<string, Set<OpenRequest>>();

  /** The number of open requests. Some policies read it for each target and request. */
  of(taskId: string, nowMs: number): number {
    const open = this.#byTask.get(taskId);
    if (open === undefined) return 0;
    // Oldest first. Stops at the first unexpired request; an expired one behind it, for
    // example behind an upload, counts until that one ends or expires.
    for (const request of open) {
      if (request.untilMs > nowMs) break;
      this.close(request);
    }
    return open.size;
  }

  /** True if a target has its maximum of open requests. */
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
