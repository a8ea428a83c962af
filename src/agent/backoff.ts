// Backoff between connection attempts.

/**
 * Bounds of the delay. Full jitter (uniform from 0) keeps the agents of a mesh from reconnecting together.
 */
const backoffBaseMs = 250;
const backoffMaxMs = 10_000;
/** The part of a window in which no agent redials: a registry of a large mesh that restarts loads its rows first. */
const windowStart = 1 / 8;

/**
 * The delay before the next attempt, milliseconds.
 *
 * @param failures failed attempts in a row, at least 1
 * @param random in [0, 1)
 * @param windowMs the delay is spread over at least this time
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function jitteredBackoffMs(failures: number, random: number, windowMs = 0): number {
  const bound = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(failures - 1, 30));
  if (bound >= windowMs) return Math.floor(random * bound);
  return Math.floor(windowMs * (windowStart + random * (1 - windowStart)));
}
