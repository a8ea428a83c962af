// The tables of the telemetry object, and items as they are stored in rows.

import type { Schema } from "../storage/migrations.ts";
import type { SqlDatabase } from "../storage/sql-database.ts";
import { type Detail, type ItemKind, type ItemLabels, newItem, type TelemetryItem } from "./items.ts";
import { addTally, type SparseArray, type SparseTally, toSparseTally } from "./metrics.ts";
import { newTelemetryState, putItem, type TelemetryState } from "./telemetry-state.ts";
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
    {
      number: 2,
      name: "a journal of deltas, and shards of items by a number of their own",
      // An earlier release finds no shards, and counts from zero; what it counts is added when this one starts again.
      readableFrom: 1,
      statements: [
        "CREATE TABLE journal (slot INTEGER PRIMARY KEY, number INTEGER NOT NULL, body TEXT NOT NULL)",
        "CREATE TABLE items (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE checkpoint (number INTEGER PRIMARY KEY, body TEXT NOT NULL)",
      ],
    },
  ],
};

/** An item as JSON. */
type StoredItem = SparseTally & {
  readonly kind: ItemKind;
  readonly key: string;
  readonly labels: ItemLabels;
  /** Absent in shards. */
  readonly detail?: Detail;
  readonly line?: number;
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
  /** Only in shards: the histogram of the last bin. */
  readonly currentBuckets?: SparseArray;
};

/** @param line the number of the last delta that it includes */
export function itemText({ kind, key, detail, labels, totals }: TelemetryItem, line: number): string {
  const { tally, openMax, queueMax, rateMax, firstMs, lastMs, series } = totals;
  const stored: StoredItem = {
    kind,
    key: key.slice(kind.length + 1),
    labels,
    detail,
    line,
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
  return JSON.stringify(stored);
}

/** About the most characters of `itemText`, with latencies in all buckets. */
export function itemCharacters({ detail, labels: { name } }: TelemetryItem): number {
  return maxItemCharacters[detail] + 2 * name.length;
}

const maxItemCharacters: Readonly<Record<Detail, number>> = {
  histograms: 70_000,
  series: 9_000,
  recent: 2_200,
  sums: 1_600,
};

/** @throws any error if the text is not a JSON array of texts of `itemText` */
export function readItems(text: string): readonly TelemetryItem[] {
  return (JSON.parse(text) as StoredItem[]).map(toItem);
}

function toItem(stored: StoredItem): TelemetryItem {
  const { kind, key, labels, detail = detailInShard(stored), line = 0, firstMs, lastMs } = stored;
  const { openMax, queueMax, rateMax } = stored;
  const item = newItem(kind, key, labels, firstMs, detail);
  const { totals } = item;
  addTally(totals.tally, stored);
  Object.assign(totals, { openMax, queueMax, rateMax, lastMs } satisfies Partial<Totals>);
  restoreSeries(totals.series, stored.series);
  item.storedLine = line;
  return item;
}

function restoreSeries(series: TimeSeriesPair | null, stored: StoredItem["series"]): void {
  if (series === null || stored === null) return;
  for (const name of ["tens", "minutes"] as const) series[name].restore(readBins(stored[name]));
}

function writeTimeSeries(series: TimeSeries): StoredTimeSeries {
  return { bins: series.bins().map((bin) => [...binFields.map((field) => bin[field])]) };
}

const binFields = ["number", "requests", "failed", "p50Ms", "p95Ms", "p99Ms", "buckets"] as const;

function readBins({ bins, currentBuckets }: StoredTimeSeries): readonly Bin[] {
  return bins.map((stored, at) => {
    const bin = Object.fromEntries(binFields.map((field, index) => [field, stored[index]])) as Bin;
    return at === bins.length - 1 && currentBuckets !== undefined ? { ...bin, buckets: currentBuckets } : bin;
  });
}

/** The detail of an item that an earlier release stored. */
function detailInShard({ kind, series }: StoredItem): Detail {
  if (series === null) return "sums";
  const lastBuckets = series.minutes.bins.at(-1)?.[binFields.indexOf("buckets")];
  return kind === "service" || lastBuckets != null ? "histograms" : "series";
}

/** The only row of the table head, of step 1. */
type StoredHead = {
  readonly format: number;
  readonly sinceMs: number;
  readonly seqs: readonly (readonly [string, number])[];
};

/** The only format of shards that is read. */
const shardFormat = 2;

/**
 * Adds what an earlier release counted, before the first start of this one or after a rollback. The caller stores it
 * and removes the shards.
 *
 * @returns true if there was anything
 */
export function addShards(database: SqlDatabase, state: TelemetryState): boolean {
  const [row] = database.exec("SELECT body FROM head");
  if (row === undefined) return false;
  try {
    const { format, sinceMs, seqs } = JSON.parse(String(row.body)) as StoredHead;
    if (format !== shardFormat) throw new Error(`format ${format}, this release reads ${shardFormat}`);
    const earlier = newTelemetryState(sinceMs);
    for (const { body } of database.exec("SELECT body FROM shards"))
      for (const stored of JSON.parse(String(body)) as StoredItem[]) putItem(earlier, toItem(stored));
    state.sinceMs = Math.min(state.sinceMs, sinceMs);
    for (const [isolate, seq] of seqs)
      state.lastSeqs.set(isolate, Math.max(seq, state.lastSeqs.get(isolate) ?? 0));
    for (const item of earlier.items.values()) addItemTo(state, item);
  } catch (error) {
    console.error({
      message: "telemetry: cannot read the counters of an earlier release",
      error: String(error),
    });
  }
  return true;
}

function addItemTo(state: TelemetryState, item: TelemetryItem): void {
  const { kind, key, labels, totals } = item;
  const known = state.items.get(key);
  const detail = known?.detail ?? state.room.detailFor(kind);
  if (detail === null) return;
  const into = known ?? newItem(kind, key.slice(kind.length + 1), labels, totals.firstMs, detail);
  if (known === undefined) putItem(state, into);
  addTotals(into.totals, totals);
  state.changedKeys.add(key);
}

function addTotals(to: Totals, from: Totals): void {
  addTally(to.tally, toSparseTally(from.tally));
  for (const max of ["openMax", "queueMax", "rateMax", "lastMs"] as const)
    to[max] = Math.max(to[max], from[max]);
  to.firstMs = Math.min(to.firstMs, from.firstMs);
  if (to.series === null || from.series === null) return;
  for (const name of ["tens", "minutes"] as const) to.series[name].restore(from.series[name].bins());
}
