// Lines: requests that wait until a task of their service has fewer open requests than it may have, first come first
// served.
//
// On Workers a request must not wake another one. So whoever ends a request, or looks whether its turn has come, gives
// what is free to those in front of the line, as plain data; and each finds what it was given when it looks next. One
// that has not looked for a while has gone, and holds up nobody.

/** How often a waiting request looks, milliseconds. */
export const lookMs = 5;
/** One that has not looked for so long has gone. */
export const goneMs = 250;

/** One waiting request. */
export type Place = {
  /** Takes a task for it if one is free for it; true when it has one. */
  readonly take: (nowMs: number) => boolean;
  /** Not every task will do for it: its client stays with one, or some were tried. */
  readonly choosy: boolean;
  seenMs: number;
};

export class Lines {
  readonly #byService = new Map<string, Place[]>();

  /** How many wait. */
  waiting(serviceId: string, nowMs: number): number {
    return this.#line(serviceId, nowMs).length;
  }

  /** Gives what is free to those who wait, in their order. One who is choosy holds up no other. */
  serve(serviceId: string, nowMs: number): void {
    const line = this.#line(serviceId, nowMs);
    // Where one that takes any task finds none, all like it are spared the search.
    let isAnyFree = true;
    const left = line.filter((place) => {
      if (!place.choosy && !isAnyFree) return true;
      const took = place.take(nowMs);
      if (!place.choosy) isAnyFree = took;
      return !took;
    });
    if (left.length < line.length) this.#keep(serviceId, left);
  }

  /** Takes in that a request looks: it is in line from then on, and loses its place only by not looking. */
  look(serviceId: string, place: Place, nowMs: number): void {
    place.seenMs = nowMs;
    const line = this.#byService.get(serviceId);
    if (line === undefined) this.#byService.set(serviceId, [place]);
    else if (!line.includes(place)) line.push(place);
    this.serve(serviceId, nowMs);
  }

  leave(serviceId: string, place: Place): void {
    const line = this.#byService.get(serviceId) ?? [];
    this.#keep(
      serviceId,
      line.filter((one) => one !== place),
    );
  }

  #line(serviceId: string, nowMs: number): readonly Place[] {
    const line = this.#byService.get(serviceId);
    if (line === undefined) return [];
    const there = line.filter(({ seenMs }) => nowMs - seenMs < goneMs);
    if (there.length < line.length) this.#keep(serviceId, there);
    return there;
  }

  #keep(serviceId: string, line: Place[]): void {
    if (line.length === 0) this.#byService.delete(serviceId);
    else this.#byService.set(serviceId, line);
  }
}
