// Backoff between connection attempts.

/**
 * Full jitter: the delay is uniform between 0 and the bound, so that the agents of a mesh do not reconnect
 * together.
 */
const backoffBaseMs = 250;
const backoffMaxMs = 10_000;

/**
 * The delay before the next attempt, milliseconds.
 *
 * @param failures failed attempts in a row, at least 1
 * @param random in [0, 1)
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function jitteredBackoffMs(failures: number, random: number): number {
  const bound = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor(random * bound);
}
