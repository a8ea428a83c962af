// Durations as Docker writes them: "8 seconds ago" in tables, `1m30s` on the command line.

import { humanDuration } from "../domain/model/human-duration.ts";
import { usageError } from "./errors.ts";

/**
 * "8 seconds ago", in lower case to follow a state. A time in the future, from another clock, counts as now.
 */
export function humanAgo(atMs: number, nowMs: number): string {
  return `${humanDuration(Math.max(0, nowMs - atMs)).toLowerCase()} ago`;
}

const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Reads a duration in the syntax of Docker's flags.
 *
 * @returns nanoseconds, the Engine API's unit
 * @throws a usage error with the accepted syntax
 */
export function parseDurationNs(text: string): number {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/gy)];
  const matched = parts.map((part) => part[0]).join("");
  if (parts.length === 0 || matched !== text) {
    throw usageError(
      `invalid duration "${text}"`,
      "write a number and a unit (ns, us, ms, s, m, h): 10s, 1m30s, 500ms",
    );
  }
  const ns = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitNs[unit ?? ""] ?? 0), 0);
  return Math.round(ns);
}

/** Reads a duration like `parseDurationNs`, but returns milliseconds, with fractions. */
export function parseDurationMs(text: string): number {
  return parseDurationNs(text) / 1e6;
}

/** Prints nanoseconds as Go prints a duration: `10s`, `1m30s`, `500ms`. */
export function printDurationNs(ns: number): string {
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${ns / 1e3}µs`;
  if (ns < 1e9) return `${ns / 1e6}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = (ns % 60e9) / 1e9;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
