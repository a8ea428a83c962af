// Stores the telemetry state in SQL. Items share a fixed number of rows, which bounds the writes of a save.

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
      readableFrom: 1,
      statements: [
        "CREATE TABLE IF NOT EXISTS head (number INTEGER PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, body TEXT NOT NULL)",
      ],
    },
  ],
};

/** A row may have 2 MB. With the maximum of items, a shard has half of that. */
export const shardCount = 64;
/** The format of the stored JSON. State in another format is dropped, and counting starts over. */
const storageFormat = 2;

/** An item as stored in a shard. */
type StoredItem = SparseTally & {
  readonly kind: ItemKind;
  readonly key: string;
  readonly labels: ItemLabels;
  readonly openMax: number;
  readonly queueMax: number;
  readonly rateMax: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly series: { readonly tens: StoredTimeSeries; readonly minutes: StoredTimeSeries } | null;
};

/** The fields of a bin, in order. */
type StoredBin = readonly (number | SparseArray | null)[];

type StoredTimeSeries = {
  readonly bins: readonly StoredBin[];
  readonly currentBuckets: SparseArray;
};

/** The only row of the table head. */
type StoredHead = {
  readonly format: number;
  readonly sinceMs: number;
  readonly seqs: readonly (readonly [string, number])[];
};

/** Reads the stored state. Drops it if it cannot be read: the object must start. */
export function loadState(database: SqlDatabase, nowMs: number): TelemetryState {
  const [row] = database.exec("SELECT body FROM head");
  if (row === undefined) return newTelemetryState(nowMs);
  try {
    return readStored(JSON.parse(String(row.body)), database.exec("SELECT body FROM shards"));
  } catch (error) {
    console.error({ message: "telemetry: cannot read the stored state", error: String(error) });
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
    for (const stored of JSON.parse(String(body)) as StoredItem[]) {
      const item = readItem(stored);
      state.items.set(item.key, item);
    }
  }
  return state;
}

/**
 * Writes the shards with changed items, and the numbers of the last deltas, in one transaction: counts and
 * the deltas they include must match.
 *
 * @returns rows written
 */
export function saveState(
  database: SqlDatabase,
  state: TelemetryState,
  removedKeys: readonly string[],
): number {
  const changedShards = new Set([...state.changedKeys, ...removedKeys].map(shardOf));
  const shards = Map.groupBy(state.items.values(), ({ key }) => shardOf(key));
  const head: StoredHead = { format: storageFormat, sinceMs: state.sinceMs, seqs: [...state.lastSeqs] };
  database.transactionSync(() => {
    for (const number of changedShards) {
      const body = JSON.stringify((shards.get(number) ?? []).map(writeItem));
      database.exec("INSERT OR REPLACE INTO shards (number, body) VALUES (?, ?)", number, body);
    }
    database.exec("INSERT OR REPLACE INTO head (number, body) VALUES (1, ?)", JSON.stringify(head));
  });
  state.changedKeys.clear();
  return changedShards.size + 1;
}

function shardOf(key: string): number {
  return (fnv1a(key) >>> 0) % shardCount;
}

function writeItem({ kind, key, labels, totals }: TelemetryItem): StoredItem {
  const { tally, openMax, queueMax, rateMax, firstMs, lastMs, series } = totals;
  return {
    kind,
    key: key.slice(kind.length + 1),
    labels,
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
  labels,
  openMax,
  queueMax,
  rateMax,
  firstMs,
  lastMs,
  ...rest
}: StoredItem): TelemetryItem {
  const keepsHistograms = kind === "service" || (kind === "node" && hasHistograms(rest.series));
  const item = newItem(kind, key, labels, firstMs, keepsHistograms);
  const { totals } = item;
  addTally(totals.tally, rest);
  Object.assign(totals, { openMax, queueMax, rateMax, lastMs } satisfies Partial<Totals>);
  restoreSeries(totals.series, rest.series);
  return item;
}

/** True if a stored node has histograms. */
function hasHistograms(series: StoredItem["series"]): boolean {
  return series?.minutes.bins.at(-1)?.[storedBucketsIndex] != null;
}

/** The index of the histogram in a stored bin. */
const storedBucketsIndex = 6;

function restoreSeries(series: TimeSeriesPair | null, stored: StoredItem["series"]): void {
  if (series === null || stored === null) return;
  for (const name of ["tens", "minutes"] as const) {
    series[name].restore(stored[name].bins.map(readBin), stored[name].currentBuckets);
  }
}

function writeTimeSeries(series: TimeSeries): StoredTimeSeries {
  const bins = series
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
  return { bins, currentBuckets: series.currentBuckets() };
}

function readBin(stored: StoredBin): Bin {
  const [number, requests, failed, p50Ms, p95Ms, p99Ms, buckets] = stored;
  return { number, requests, failed, p50Ms, p95Ms, p99Ms, buckets } as Bin;
}
