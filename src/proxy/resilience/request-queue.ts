// Lines: requests that wait until a task of their service has fewer open requests than it may have, first come first
// served.
//
// On Workers a request must not wake another one. So whoever ends a request, or looks whether its turn has come, gives
// what is free to those in front of the line, as plain data; and each finds what it was given when it looks next. One
// that has not looked for a while has gone, and holds up nobody.

/** How often a waiting request looks, milliseconds. */
export const queuePollMs = 5;
/** One that has not looked for so long has gone. */
export const abandonedMs = 250;

/** One waiting request. */
export type Waiter = {
  /** Takes a task for it if one is free for it; true when it has one. */
  readonly take: (nowMs: number) => boolean;
  /** Not every task will do for it: its client stays with one, or some were tried. */
  readonly isSelective: boolean;
  polledMs: number;
};

export class RequestQueue {
  readonly #byService = new Map<string, Waiter[]>();

  /** How many wait. */
  length(serviceId: string, nowMs: number): number {
    return this.#live(serviceId, nowMs).length;
  }

  /** Gives what is free to those who wait, in their order. One who is choosy holds up no other. */
  serve(serviceId: string, nowMs: number): void {
    const line = this.#live(serviceId, nowMs);
    // Where one that takes any task finds none, all like it are spared the search.
    let isAnyFree = true;
    const left = line.filter((place) => {
      if (!place.isSelective && !isAnyFree) return true;
      const took = place.take(nowMs);
      if (!place.isSelective) isAnyFree = took;
      return !took;
    });
    if (left.length < line.length) this.#keep(serviceId, left);
  }

  /** Takes in that a request looks: it is in line from then on, and loses its place only by not looking. */
  poll(serviceId: string, place: Waiter, nowMs: number): void {
    place.polledMs = nowMs;
    const line = this.#byService.get(serviceId);
    if (line === undefined) this.#byService.set(serviceId, [place]);
    else if (!line.includes(place)) line.push(place);
    this.serve(serviceId, nowMs);
  }

  leave(serviceId: string, place: Waiter): void {
    const line = this.#byService.get(serviceId) ?? [];
    this.#keep(
      serviceId,
      line.filter((one) => one !== place),
    );
  }

  #live(serviceId: string, nowMs: number): readonly Waiter[] {
    const line = this.#byService.get(serviceId);
    if (line === undefined) return [];
    const there = line.filter(({ polledMs }) => nowMs - polledMs < abandonedMs);
    if (there.length < line.length) this.#keep(serviceId, there);
    return there;
  }

  #keep(serviceId: string, line: Waiter[]): void {
    if (line.length === 0) this.#byService.delete(serviceId);
    else this.#byService.set(serviceId, line);
  }
}
