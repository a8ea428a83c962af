// What is known as rows of a database. Things are kept in a fixed number of shards, so that however many are counted,
// one saving writes no more rows than there are shards.

import { fnv1a } from "../domain/model/fnv.ts";
import type { Schema } from "../storage/migrations.ts";
import type { SqlDatabase, SqlRow } from "../storage/sql-database.ts";
import { addTally, type SparseArray, type SparseTally, toSparseTally } from "./metrics.ts";
import {
  type ItemKind,
  type ItemLabels,
  newItem,
  newTelemetryState,
  type TelemetryItem,
  type TelemetryState,
} from "./telemetry-state.ts";
import type { Bin, TimeSeries } from "./time-series.ts";
import type { TimeSeriesPair, Totals } from "./totals.ts";

/** The tables of the telemetry object. Step 1 accepts tables that are older than the migration runner. */
export const telemetrySchema: Schema = {
  owner: "telemetry",
  migrations: [
    {
      number: 1,
      name: "shards of items, and a head with the numbers of the last deltas",
      statements: [
        "CREATE TABLE IF NOT EXISTS head (number INTEGER PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, body TEXT NOT NULL)",
      ],
    },
  ],
};

/** A row may have 2 MB; with the most that is kept, a shard has half of that. */
export const shardCount = 64;
/** How a shard's text is written. What was written otherwise is not read: counting starts anew. */
const storageFormat = 2;

/** A thing as it is kept. */
type StoredItem = SparseTally & {
  readonly kind: ItemKind;
  readonly key: string;
  readonly about: ItemLabels;
  readonly openMax: number;
  readonly queueMax: number;
  readonly rateMax: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly series: { readonly tens: StoredTimeSeries; readonly minutes: StoredTimeSeries } | null;
};

type StoredTimeSeries = {
  readonly steps: readonly (readonly (number | SparseArray | null)[])[];
  readonly newest: SparseArray;
};

/** The one row beside the shards. */
type StoredHead = {
  readonly format: number;
  readonly sinceMs: number;
  readonly seqs: readonly (readonly [string, number])[];
};

/** Reads what was kept. What cannot be read is as if it had never been: figures are no reason not to start. */
export function loadState(database: SqlDatabase, nowMs: number): TelemetryState {
  const [row] = database.exec("SELECT body FROM head");
  if (row === undefined) return newTelemetryState(nowMs);
  try {
    return readStored(JSON.parse(String(row.body)), database.exec("SELECT body FROM shards"));
  } catch (error) {
    console.error({ message: "telemetry: what was kept cannot be read", error: String(error) });
    database.exec("DELETE FROM shards");
    return newTelemetryState(nowMs);
  }
}

function readStored(head: StoredHead, shards: readonly SqlRow[]): TelemetryState {
  if (head.format !== storageFormat)
    throw new Error(`format ${head.format}, this release writes ${storageFormat}`);
  const state = newTelemetryState(head.sinceMs);
  for (const [isolate, seq] of head.seqs) state.lastSeqs.set(isolate, seq);
  for (const { body } of shards) {
    for (const written of JSON.parse(String(body)) as StoredItem[]) {
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
export function saveState(
  database: SqlDatabase,
  state: TelemetryState,
  forgotten: readonly string[],
): number {
  const dirty = new Set([...state.changedKeys, ...forgotten].map(shardOf));
  const shards = Map.groupBy(state.items.values(), ({ key }) => shardOf(key));
  const head: StoredHead = { format: storageFormat, sinceMs: state.sinceMs, seqs: [...state.lastSeqs] };
  database.transactionSync(() => {
    for (const number of dirty) {
      const body = JSON.stringify((shards.get(number) ?? []).map(writeItem));
      database.exec("INSERT OR REPLACE INTO shards (number, body) VALUES (?, ?)", number, body);
    }
    database.exec("INSERT OR REPLACE INTO head (number, body) VALUES (1, ?)", JSON.stringify(head));
  });
  state.changedKeys.clear();
  return dirty.size + 1;
}

function shardOf(key: string): number {
  return (fnv1a(key) >>> 0) % shardCount;
}

function writeItem({ kind, key, labels, totals }: TelemetryItem): StoredItem {
  const { tally, openMax, queueMax, rateMax, firstMs, lastMs, series } = totals;
  return {
    kind,
    key: key.slice(kind.length + 1),
    about: labels,
    ...toSparseTally(tally),
    openMax,
    queueMax,
    rateMax,
    firstMs,
    lastMs,
    series:
      series === null
        ? null
        : { tens: writeTimeSeries(series.tens), minutes: writeTimeSeries(series.minutes) },
  };
}

function readItem({
  kind,
  key,
  about,
  openMax,
  queueMax,
  rateMax,
  firstMs,
  lastMs,
  ...rest
}: StoredItem): TelemetryItem {
  const histograms = kind === "service" || (kind === "node" && hasHistograms(rest.series));
  const item = newItem(kind, key, about, firstMs, histograms);
  const { totals } = item;
  addTally(totals.tally, rest);
  Object.assign(totals, { openMax, queueMax, rateMax, lastMs } satisfies Partial<Totals>);
  restoreSeries(totals.series, rest.series);
  return item;
}

/** A node is read as it was kept. */
function hasHistograms(series: StoredItem["series"]): boolean {
  return series?.minutes.steps.at(-1)?.[storedBucketsIndex] != null;
}

/** Where a written step has its histogram. */
const storedBucketsIndex = 6;

function restoreSeries(to: TimeSeriesPair | null, written: StoredItem["series"]): void {
  if (to === null || written === null) return;
  for (const which of ["tens", "minutes"] as const) {
    to[which].restore(written[which].steps.map(readBin), written[which].newest);
  }
}

function writeTimeSeries(steps: TimeSeries): StoredTimeSeries {
  const written = steps
    .bins()
    .map(({ number, requests, failed, p50Ms, p95Ms, p99Ms, buckets }) => [
      number,
      requests,
      failed,
      p50Ms,
      p95Ms,
      p99Ms,
      buckets,
    ]);
  return { steps: written, newest: steps.currentBuckets() };
}

function readBin(written: readonly (number | SparseArray | null)[]): Bin {
  const [number, requests, failed, p50Ms, p95Ms, p99Ms, buckets] = written;
  return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets } as Bin;
}
