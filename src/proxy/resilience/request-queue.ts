// The request queue: requests that wait until a target of their service has fewer open requests than its
// maximum, first come first served.
//
// On Workers one request must not wake another. Therefore each request that ends, and each poll of a waiting
// one, hands free targets to the waiters at the front as plain data, and each waiter finds its target at its
// next poll. Those far from the front poll less often. A waiter that has not polled for a while is dropped.

/** How often a waiter near the front polls, milliseconds. */
const queuePollMs = 5;
/** So many waiters from the front poll that often; one that is twice as far back polls half as often. */
const frontLength = 32;
/** Longest time between two polls, milliseconds. */
const maxQueuePollMs = 500;
/** A waiter that has missed its polls for this long is dropped, milliseconds. */
const maxPollGapMs = 250;
/** Waiters of an isolate, at most: each costs memory and polls. */
export const maxWaiters = 10_000;
/** How often a long queue is searched for dropped waiters, milliseconds. */
const searchMs = 50;

/** One waiting request. */
export type Waiter = {
  /** Takes a target if one is free; true when it took one. It holds the target for `gapMs`. */
  readonly take: (nowMs: number, gapMs: number) => boolean;
  /** It does not accept every target: its client has a sticky cookie, or some targets were tried. */
  readonly isSelective: boolean;
};

/** A waiter's place. */
type Place = {
  /** How many had joined before it. */
  readonly turn: number;
  polledMs: number;
  /** It is dropped if it has not polled for this long. */
  gapMs: number;
};

type ServiceQueue = {
  /** In the order in which they joined. */
  readonly places: Map<Waiter, Place>;
  joined: number;
  left: number;
  selective: number;
  searchedMs: number;
};

/** @see docs/decisions/0022-limits-and-queues-per-isolate.md */
export class RequestQueue {
  readonly #byService = new Map<string, ServiceQueue>();
  #waiters = 0;

  /** How many requests wait for a service. */
  length(serviceId: string, nowMs: number): number {
    const queue = this.#byService.get(serviceId);
    if (queue === undefined) return 0;
    this.#dropLate(serviceId, queue, nowMs);
    return queue.places.size;
  }

  /** True if no more requests may wait in this isolate, for any service. */
  get isFull(): boolean {
    return this.#waiters >= maxWaiters;
  }

  /** Hands free targets to the waiters in their order. A selective waiter holds up no other. */
  serve(serviceId: string, nowMs: number): void {
    const queue = this.#byService.get(serviceId);
    if (queue === undefined) return;
    for (const [waiter, place] of queue.places) {
      if (isLate(place, nowMs)) this.#remove(serviceId, queue, waiter);
      else if (waiter.take(nowMs, place.gapMs)) this.#remove(serviceId, queue, waiter);
      // Once a waiter that accepts any target finds none free, only selective ones could find one.
      else if (!waiter.isSelective) break;
    }
    if (queue.selective > 0) this.#serveSelective(serviceId, queue, nowMs);
  }

  /**
   * A waiter's poll: adds it at the end of the queue if it is not in it, and serves the queue.
   *
   * @returns milliseconds until its next poll
   */
  poll(serviceId: string, waiter: Waiter, nowMs: number): number {
    const queue = this.#byService.get(serviceId) ?? this.#addQueue(serviceId, nowMs);
    let place = queue.places.get(waiter);
    if (place === undefined) {
      place = { turn: queue.joined, polledMs: nowMs, gapMs: maxPollGapMs };
      queue.places.set(waiter, place);
      queue.joined += 1;
      if (waiter.isSelective) queue.selective += 1;
      this.#waiters += 1;
    }
    const ahead = place.turn - queue.left;
    const pollMs = Math.min(maxQueuePollMs, queuePollMs * Math.max(1, Math.ceil(ahead / frontLength)));
    place.polledMs = nowMs;
    place.gapMs = maxPollGapMs + pollMs;
    this.serve(serviceId, nowMs);
    return pollMs;
  }

  leave(serviceId: string, waiter: Waiter): void {
    const queue = this.#byService.get(serviceId);
    if (queue?.places.has(waiter)) this.#remove(serviceId, queue, waiter);
  }

  /** The selective waiters behind the first one that found no target. */
  #serveSelective(serviceId: string, queue: ServiceQueue, nowMs: number): void {
    for (const waiter of queue.places.keys()) {
      const place = queue.places.get(waiter);
      if (!waiter.isSelective || place === undefined || isLate(place, nowMs)) continue;
      if (waiter.take(nowMs, place.gapMs)) this.#remove(serviceId, queue, waiter);
    }
  }

  /** A short queue is searched each time, a long one now and then. */
  #dropLate(serviceId: string, queue: ServiceQueue, nowMs: number): void {
    if (queue.places.size > frontLength && nowMs - queue.searchedMs < searchMs) return;
    queue.searchedMs = nowMs;
    for (const [waiter, place] of queue.places) {
      if (isLate(place, nowMs)) this.#remove(serviceId, queue, waiter);
    }
  }

  #addQueue(serviceId: string, nowMs: number): ServiceQueue {
    const queue = { places: new Map<Waiter, Place>(), joined: 0, left: 0, selective: 0, searchedMs: nowMs };
    this.#byService.set(serviceId, queue);
    return queue;
  }

  #remove(serviceId: string, queue: ServiceQueue, waiter: Waiter): void {
    queue.places.delete(waiter);
    queue.left += 1;
    if (waiter.isSelective) queue.selective -= 1;
    this.#waiters -= 1;
    if (queue.places.size === 0) this.#byService.delete(serviceId);
  }
}

function isLate({ polledMs, gapMs }: Place, nowMs: number): boolean {
  return nowMs - polledMs >= gapMs;
}
