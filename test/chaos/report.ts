// The table of the chaos run: what became of the requests of one scenario, and how it prints.

import type { Sample } from "./load.ts";

/** Latencies in milliseconds, of all requests: one that failed took its client as long as one that did not. */
export type Row = {
  readonly scenario: string;
  readonly contender: string;
  readonly sent: number;
  readonly failedGets: number;
  readonly failedPosts: number;
  /** POSTs that more than one task took. */
  readonly postsTwice: number;
  /** 503s of the application's own, which are no failure of what passes them on. */
  readonly appAnswers: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** From the first failed request to the last, by when they were due. */
  readonly failingMs: number;
  /** Failures by kind. */
  readonly why: Readonly<Record<string, number>>;
  /** Why it was not run. */
  readonly skipped?: string;
};

export function summarize(
  scenario: string,
  contender: string,
  samples: readonly Sample[],
  taken: readonly string[],
): Row {
  const failed = samples.filter((one) => one.outcome === "failed");
  const sorted = samples.map((one) => one.latencyMs).sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const why: Record<string, number> = {};
  for (const one of failed) why[`${one.method} ${one.why}`] = (why[`${one.method} ${one.why}`] ?? 0) + 1;
  return {
    scenario,
    contender,
    sent: samples.length,
    failedGets: failed.filter((one) => one.method === "GET").length,
    failedPosts: failed.filter((one) => one.method === "POST").length,
    postsTwice: taken.length - new Set(taken).size,
    appAnswers: samples.filter((one) => one.outcome === "app").length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: sorted.at(-1) ?? 0,
    failingMs: (failed.at(-1)?.dueMs ?? 0) - (failed[0]?.dueMs ?? 0),
    why,
  };
}

export function skipped(scenario: string, contender: string, reason: string): Row {
  return { ...summarize(scenario, contender, [], []), skipped: reason };
}

const widths = [16, 8, 6, 10, 11, 10, 8, 8, 8, 8, 14] as const;

export const heading = cells([
  "scenario",
  "",
  "sent",
  "failed GET",
  "failed POST",
  "POST twice",
  "app 503",
  "p50 ms",
  "p99 ms",
  "max ms",
  "failing for ms",
]);

/** One line of the table. */
export function print(row: Row): string {
  if (row.skipped !== undefined) return `${cells([row.scenario, row.contender])}  not run: ${row.skipped}`;
  const { sent, failedGets, failedPosts, postsTwice, appAnswers, p50Ms, p99Ms, maxMs, failingMs } = row;
  const numbers = [sent, failedGets, failedPosts, postsTwice, appAnswers, p50Ms, p99Ms, maxMs, failingMs];
  return cells([row.scenario, row.contender, ...numbers.map((value) => value.toFixed(0))]);
}

function cells(values: readonly string[]): string {
  return values
    .map((value, index) =>
      index < 2 ? value.padEnd(widths[index] ?? 0) : value.padStart(widths[index] ?? 0),
    )
    .join("  ");
}
