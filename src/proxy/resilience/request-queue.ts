// The request queue: requests that wait until a target of their service has fewer open requests than its
// maximum, first come first served.
//
// On Workers one request must not wake another. Therefore each request that ends, and each poll of a waiting
// one, hands free targets to the waiters at the front as plain data, and each waiter finds its target at its
// next poll. A waiter that has not polled for a while is dropped.

/** How often a waiting request polls, milliseconds. */
export const queuePollMs = 5;
/** A waiter that has not polled for this long is dropped, milliseconds. */
export const maxPollGapMs = 250;

/** One waiting request. */
export type Waiter = {
  /** Takes a target if one is free; true when it took one. */
  readonly take: (nowMs: number) => boolean;
  /** It does not accept every target: its client has a sticky cookie, or some targets were tried. */
  readonly isSelective: boolean;
  polledMs: number;
};

/** @see docs/decisions/0022-limits-and-queues-per-isolate.md */
export class RequestQueue {
  readonly #byService = new Map<string, Waiter[]>();

  /** How many requests wait for a service. */
  length(serviceId: string, nowMs: number): number {
    return this.#live(serviceId, nowMs).length;
  }

  /** Hands free targets to the waiters in their order. A selective waiter holds up no other. */
  serve(serviceId: string, nowMs: number): void {
    const waiters = this.#live(serviceId, nowMs);
    // Once a waiter that accepts any target finds none free, no other such waiter can find one.
    let isAnyFree = true;
    const remaining = waiters.filter((waiter) => {
      if (!waiter.isSelective && !isAnyFree) return true;
      const hasTaken = waiter.take(nowMs);
      if (!waiter.isSelective) isAnyFree = hasTaken;
      return !hasTaken;
    });
    if (remaining.length < waiters.length) this.#keep(serviceId, remaining);
  }

  /** A waiter's poll: adds it at the end of the queue if it is not in it, and serves the queue. */
  poll(serviceId: string, waiter: Waiter, nowMs: number): void {
    waiter.polledMs = nowMs;
    const waiters = this.#byService.get(serviceId);
    if (waiters === undefined) this.#byService.set(serviceId, [waiter]);
    else if (!waiters.includes(waiter)) waiters.push(waiter);
    this.serve(serviceId, nowMs);
  }

  leave(serviceId: string, waiter: Waiter): void {
    const waiters = this.#byService.get(serviceId) ?? [];
    this.#keep(
      serviceId,
      waiters.filter((other) => other !== waiter),
    );
  }

  #live(serviceId: string, nowMs: number): readonly Waiter[] {
    const waiters = this.#byService.get(serviceId);
    if (waiters === undefined) return [];
    const live = waiters.filter(({ polledMs }) => nowMs - polledMs < maxPollGapMs);
    if (live.length < waiters.length) this.#keep(serviceId, live);
    return live;
  }

  #keep(serviceId: string, waiters: Waiter[]): void {
    if (waiters.length === 0) this.#byService.delete(serviceId);
    else this.#byService.set(serviceId, waiters);
  }
}
