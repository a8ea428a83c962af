// Backoff: how long to wait before dialling again.

/** Full jitter (every delay between nothing and the bound is as likely) keeps a mesh's agents from redialling as one. */
const backoffBaseMs = 250;
const backoffMaxMs = 10_000;

/**
 * The delay before a further try, milliseconds.
 *
 * @param failures tries that failed in a row, at least 1
 * @param random in [0, 1)
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function jitteredBackoffMs(failures: number, random: number): number {
  const bound = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor(random * bound);
}
