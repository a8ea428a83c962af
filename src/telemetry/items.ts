// The items of telemetry: what has counters of its own, in how much detail, and how much memory that takes.

import { binCount } from "./time-series.ts";
import { newTimeSeriesPair, newTotals, type SeriesPairSize, type Totals } from "./totals.ts";

/** An `entry` is a service at a node's entry point; a `colo` is a task as one colo sees it. */
export type ItemKind = "service" | "node" | "task" | "entry" | "colo";

/**
 * How much is kept of an item besides its sums: series with the histogram of each bin, series with percentiles, the
 * last seconds, or nothing.
 */
export type Detail = "histograms" | "series" | "recent" | "sums";

export type TelemetryItem = {
  readonly kind: ItemKind;
  readonly key: string;
  readonly detail: Detail;
  labels: ItemLabels;
  readonly totals: Totals;
  /** The number of the last delta with which it was stored; -1: it is not stored. */
  storedLine: number;
};

/** Identifies an item: its id and name, and the service, node, slot and colo it belongs to. */
export type ItemLabels = {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly nodeId: string;
  readonly slot: number;
  readonly colo: string;
};

/** The id of what there is no room for. No service or node has it: ids are longer. */
export const othersId = "others";

/** A bin may grow for 50 s after it began, and keeps its histogram until then; a count arrives within 40 s. */
const openTens = 5;
const openMinutes = 2;

const seriesSizes: Readonly<Record<Exclude<Detail, "sums">, SeriesPairSize>> = {
  histograms: {
    tens: { bins: binCount, histograms: binCount },
    minutes: { bins: binCount, histograms: binCount },
  },
  series: {
    tens: { bins: binCount, histograms: openTens },
    minutes: { bins: binCount, histograms: openMinutes },
  },
  recent: { tens: { bins: openTens, histograms: 0 }, minutes: { bins: 1, histograms: 0 } },
};

/** Memory of an item without its texts, bytes; measured, see test/unit/telemetry/memory.test.ts. */
const itemBytes: Readonly<Record<Detail, number>> = {
  histograms: 41_000,
  series: 8_500,
  recent: 3_300,
  sums: 2_300,
};

/** Memory of what an isolate has, bytes: itself, a gauge or an ejection, and the totals of one task. */
export const isolateBytes = { isolate: 1_200, entry: 200, totals: 1_600 } as const;
/** Memory for isolates, bytes. */
export const maxIsolateBytes = 3_000_000;

/** The memory for each kind by detail, richest first, bytes. */
export const itemShares: Readonly<Record<ItemKind, readonly (readonly [Detail, number])[]>> = {
  service: [
    ["histograms", 5_000_000],
    ["series", 5_000_000],
    ["recent", 3_000_000],
  ],
  node: [
    ["histograms", 2_000_000],
    ["series", 2_000_000],
    ["recent", 6_000_000],
  ],
  task: [
    ["series", 6_000_000],
    ["recent", 10_500_000],
  ],
  entry: [["sums", 7_000_000]],
  colo: [["sums", 2_500_000]],
};

/** True if an item counts what there is no room for. */
export function isOthers({ labels: { id, nodeId } }: Pick<TelemetryItem, "labels">): boolean {
  return id === othersId || id.startsWith(`${othersId}.`) || nodeId === othersId;
}

export function bytesOfItem({
  key,
  detail,
  labels,
}: Pick<TelemetryItem, "key" | "detail" | "labels">): number {
  const { id, name, serviceId, nodeId, colo } = labels;
  const characters = key.length + id.length + name.length + serviceId.length + nodeId.length + colo.length;
  return itemBytes[detail] + 2 * characters;
}

export function newItem(
  kind: ItemKind,
  key: string,
  labels: Partial<ItemLabels>,
  nowMs: number,
  detail: Detail,
): TelemetryItem {
  return {
    kind,
    key: `${kind} ${key}`,
    detail,
    labels: { id: "", name: "", serviceId: "", nodeId: "", slot: 0, colo: "", ...labels },
    totals: newTotals(nowMs, detail === "sums" ? null : newTimeSeriesPair(seriesSizes[detail])),
    storedLine: -1,
  };
}
