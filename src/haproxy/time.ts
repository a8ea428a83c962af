// Times and numbers of haproxy.cfg, in lines that the grammar has accepted.

const timeUnitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * A time as milliseconds, rounded up. A number alone is in milliseconds, and HAProxy ignores what follows the
 * unit.
 */
export function parseTimeMs(text: string): number {
  const [, count = "0", unit = "ms"] = /^(\d+)(us|ms|s|m|h|d)?/.exec(text) ?? [];
  return Math.ceil(Number(count) * (timeUnitMs[unit] ?? 1));
}

/** The number at the beginning of a word, as C's atol reads it; 0 without one. */
export function parseNumber(text: string): number {
  return Number.parseInt(text, 10) || 0;
}
