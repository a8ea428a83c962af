// What is known as rows of a database. Things are kept in a fixed number of shards, so that however many are counted,
// one saving writes no more rows than there are shards.

import { fnv1a } from "../domain/fnv.ts";
import type { Figures, Series } from "./figures.ts";
import type { Sparse } from "./sparse.ts";
import type { Step, Steps } from "./steps.ts";
import { addTally, type WrittenTally, writeTally } from "./tally.ts";
import {
  type About,
  type Item,
  type Kind,
  newItem,
  newState,
  type TelemetryState,
} from "./telemetry-state.ts";

/** What is asked of a database; a Durable Object's storage and node:sqlite both have it. */
export type TelemetrySql = {
  exec(sql: string, ...bindings: readonly (string | number)[]): readonly Readonly<Record<string, unknown>>[];
  transactionSync<T>(work: () => T): T;
};

/** A row may have 2 MB; with the most that is kept, a shard has half of that. */
export const shardCount = 64;
/** How a shard's text is written. What was written otherwise is not read: counting starts anew. */
const format = 1;

/** A thing as it is kept. */
type Written = WrittenTally & {
  readonly kind: Kind;
  readonly key: string;
  readonly about: About;
  readonly openMax: number;
  readonly queueMax: number;
  readonly rateMax: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly series: { readonly tens: WrittenSteps; readonly minutes: WrittenSteps } | null;
};

type WrittenSteps = {
  readonly steps: readonly (readonly (number | Sparse | null)[])[];
  readonly newest: Sparse;
};

/** The one row beside the shards. */
type Head = {
  readonly format: number;
  readonly sinceMs: number;
  readonly seqs: readonly (readonly [string, number])[];
};

/** Reads what was kept. What cannot be read is as if it had never been: figures are no reason not to start. */
export function loadState(sql: TelemetrySql, nowMs: number): TelemetryState {
  sql.exec("CREATE TABLE IF NOT EXISTS head (number INTEGER PRIMARY KEY, body TEXT NOT NULL)");
  sql.exec("CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, body TEXT NOT NULL)");
  const [row] = sql.exec("SELECT body FROM head");
  if (row === undefined) return newState(nowMs);
  try {
    return readRows(JSON.parse(String(row.body)), sql.exec("SELECT body FROM shards"));
  } catch (error) {
    console.error({ message: "telemetry: what was kept cannot be read", error: String(error) });
    sql.exec("DELETE FROM shards");
    return newState(nowMs);
  }
}

function readRows(head: Head, shards: readonly Readonly<Record<string, unknown>>[]): TelemetryState {
  if (head.format !== format) throw new Error(`format ${head.format}, this release writes ${format}`);
  const state = newState(head.sinceMs);
  for (const [isolate, seq] of head.seqs) state.seqs.set(isolate, seq);
  for (const { body } of shards) {
    for (const written of JSON.parse(String(body)) as Written[]) {
      const item = readItem(written);
      state.items.set(item.key, item);
    }
  }
  return state;
}

/**
 * Writes the shards that hold what changed, with the numbers of the last deltas, whole or not at all: what is counted
 * and which deltas it was counted from belong together.
 *
 * @returns rows written
 */
export function saveState(sql: TelemetrySql, state: TelemetryState, forgotten: readonly string[]): number {
  const dirty = new Set([...state.changed, ...forgotten].map(shardOf));
  const shards = Map.groupBy(state.items.values(), ({ key }) => shardOf(key));
  const head: Head = { format, sinceMs: state.sinceMs, seqs: [...state.seqs] };
  sql.transactionSync(() => {
    for (const number of dirty) {
      const body = JSON.stringify((shards.get(number) ?? []).map(writeItem));
      sql.exec("INSERT OR REPLACE INTO shards (number, body) VALUES (?, ?)", number, body);
    }
    sql.exec("INSERT OR REPLACE INTO head (number, body) VALUES (1, ?)", JSON.stringify(head));
  });
  state.changed.clear();
  return dirty.size + 1;
}

function shardOf(key: string): number {
  return (fnv1a(key) >>> 0) % shardCount;
}

function writeItem({ kind, key, about, figures }: Item): Written {
  const { tally, openMax, queueMax, rateMax, firstMs, lastMs, series } = figures;
  return {
    kind,
    key: key.slice(kind.length + 1),
    about,
    ...writeTally(tally),
    openMax,
    queueMax,
    rateMax,
    firstMs,
    lastMs,
    series: series === null ? null : { tens: writeSteps(series.tens), minutes: writeSteps(series.minutes) },
  };
}

function readItem({ kind, key, about, openMax, queueMax, rateMax, firstMs, lastMs, ...rest }: Written): Item {
  const histograms = kind === "service" || (kind === "node" && hasHistograms(rest.series));
  const item = newItem(kind, key, about, firstMs, histograms);
  const { figures } = item;
  addTally(figures.tally, rest);
  Object.assign(figures, { openMax, queueMax, rateMax, lastMs } satisfies Partial<Figures>);
  restoreSeries(figures.series, rest.series);
  return item;
}

/** A node is read as it was kept. */
function hasHistograms(series: Written["series"]): boolean {
  return series?.minutes.steps.at(-1)?.[bucketsAt] != null;
}

/** Where a written step has its histogram. */
const bucketsAt = 6;

function restoreSeries(to: Series | null, written: Written["series"]): void {
  if (to === null || written === null) return;
  for (const which of ["tens", "minutes"] as const) {
    to[which].restore(written[which].steps.map(readStep), written[which].newest);
  }
}

function writeSteps(steps: Steps): WrittenSteps {
  const written = steps
    .list()
    .map(({ number, requests, failed, p50Ms, p95Ms, p99Ms, buckets }) => [
      number,
      requests,
      failed,
      p50Ms,
      p95Ms,
      p99Ms,
      buckets,
    ]);
  return { steps: written, newest: steps.newestBuckets() };
}

function readStep(written: readonly (number | Sparse | null)[]): Step {
  const [number, requests, failed, p50Ms, p95Ms, p99Ms, buckets] = written;
  return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets } as Step;
}
