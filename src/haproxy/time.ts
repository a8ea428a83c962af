// Times in HAProxy's format: a number and us, ms, s, m, h or d; a number alone is in milliseconds.

import { ConfigError } from "./words.ts";

const timeUnitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  "": 1,
};

/** Reads a time as milliseconds, rounded up. @throws ConfigError */
export function parseTimeMs(text: string | undefined, name: string, line: number): number {
  const [, count, unit] = /^(\d{1,12})(us|ms|s|m|h|d)?$/.exec(text ?? "") ?? [];
  if (count === undefined) {
    throw new ConfigError(line, `${name} is "${text ?? ""}": write a number and ms, s, m, h or d, as in 2s`);
  }
  return Math.ceil(Number(count) * (timeUnitMs[unit ?? ""] ?? 1));
}

/** Reads a whole number. @throws ConfigError */
export function parseWholeNumber(text: string | undefined, name: string, line: number): number {
  if (/^\d{1,9}$/.test(text ?? "")) return Number(text);
  throw new ConfigError(line, `${name} is "${text ?? ""}": write a whole number`);
}
