// The table of the chaos run: summarizes the requests of one scenario, and formats the rows.

import type { Sample } from "./load.ts";

/** The results of one contender in one scenario. Latencies include failed requests. */
export type Row = {
  readonly scenario: string;
  readonly contender: string;
  readonly sent: number;
  readonly failedGets: number;
  readonly failedPosts: number;
  /** Failed POSTs that no task has read, which any other task could have got. */
  readonly unreadPosts: number;
  /** POSTs received more than once. */
  readonly postsTwice: number;
  /** 503s of the application itself, which do not count as failures. */
  readonly appAnswers: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** From the due time of the first failed request to that of the last. */
  readonly failingMs: number;
  /** Failures by method and reason. */
  readonly why: Readonly<Record<string, number>>;
  /** Why the scenario was not run. */
  readonly skipped?: string;
  /** What else was measured. */
  readonly note?: string;
};

export function summarize(
  scenario: string,
  contender: string,
  samples: readonly Sample[],
  receivedPosts: readonly string[],
): Row {
  const failed = samples.filter(({ outcome }) => outcome === "failed");
  const read = new Set(receivedPosts);
  const sorted = samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const why: Record<string, number> = {};
  for (const { method, why: reason } of failed) {
    why[`${method} ${reason}`] = (why[`${method} ${reason}`] ?? 0) + 1;
  }
  return {
    scenario,
    contender,
    sent: samples.length,
    failedGets: failed.filter(({ method }) => method === "GET").length,
    failedPosts: failed.filter(({ method }) => method === "POST").length,
    unreadPosts: failed.filter(({ method, id }) => method === "POST" && !read.has(id)).length,
    postsTwice: receivedPosts.length - read.size,
    appAnswers: samples.filter(({ outcome }) => outcome === "app").length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: sorted.at(-1) ?? 0,
    failingMs: (failed.at(-1)?.dueMs ?? 0) - (failed[0]?.dueMs ?? 0),
    why,
  };
}

/** True if the contender lost no request that it could have saved. @param deaths POSTs that died with a process */
export function isWithoutLoss({ failedGets, unreadPosts, postsTwice }: Row, deaths = 0): boolean {
  return failedGets === 0 && unreadPosts <= deaths && postsTwice === 0;
}

export function skipped(scenario: string, contender: string, reason: string): Row {
  return { ...summarize(scenario, contender, [], []), skipped: reason };
}

const widths = [16, 8, 6, 10, 11, 11, 10, 8, 8, 8, 8, 14] as const;

export const heading = cells([
  "scenario",
  "",
  "sent",
  "failed GET",
  "failed POST",
  "unread POST",
  "POST twice",
  "app 503",
  "p50 ms",
  "p99 ms",
  "max ms",
  "failing for ms",
]);

/** One line of the table. */
export function formatRow(row: Row): string {
  if (row.skipped !== undefined) return `${cells([row.scenario, row.contender])}  not run: ${row.skipped}`;
  const { sent, failedGets, failedPosts, unreadPosts, postsTwice, appAnswers } = row;
  const { p50Ms, p99Ms, maxMs, failingMs } = row;
  const numbers = [
    sent,
    failedGets,
    failedPosts,
    unreadPosts,
    postsTwice,
    appAnswers,
    p50Ms,
    p99Ms,
    maxMs,
    failingMs,
  ];
  return cells([row.scenario, row.contender, ...numbers.map((value) => value.toFixed(0))]);
}

function cells(values: readonly string[]): string {
  return values
    .map((value, index) =>
      index < 2 ? value.padEnd(widths[index] ?? 0) : value.padStart(widths[index] ?? 0),
    )
    .join("  ");
}
