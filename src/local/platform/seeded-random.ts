// Random numbers that a seed repeats, and the times of events that happen now and then.

/** Numbers in [0, 1). */
export type Random = () => number;

/** A generator whose numbers are the same for the same seed. Mulberry32: 32 bits of state. @param seed a whole number */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A pause between half and one and a half times the mean, so that events do not keep step with timers. Milliseconds. */
export function pauseMs(meanMs: number, random: Random): number {
  return Math.round(meanMs * (0.5 + random()));
}
