// What `waggle top` shows: a row for each service, node and task, with what was measured of it lately.

import type { Rates } from "../../telemetry/rates.ts";
import { compareNaturally } from "../output.ts";

export type RowMeasurements = Rates & {
  /** Further attempts a second; null when it is not known yet. */
  readonly retries: number | null;
};

export type Tone = "ok" | "warn" | "bad" | "idle";

export type TopRow = {
  readonly name: string;
  /** Of a task its node, of a node its address, of a service what it publishes. */
  readonly where: string;
  /** `2/2`, `ready`, `running UP`. */
  readonly state: string;
  readonly tone: Tone;
  /** Null: nothing is measured of it. */
  readonly measured: RowMeasurements | null;
  /** Requests a second over the last minutes, oldest first. */
  readonly trend: readonly number[];
};

export type SectionName = "services" | "nodes" | "tasks";

/** One reading of the mesh. */
export type TopReading = {
  readonly mesh: string;
  readonly url: string;
  readonly atMs: number;
  /** Of all requests together. */
  readonly total: RowMeasurements | null;
  readonly sections: Readonly<Record<SectionName, readonly TopRow[]>>;
  /** What is not well, a sentence each. */
  readonly problems: readonly string[];
  /** Why nothing is measured; empty when something is. */
  readonly unmeasured: string;
};

export const sortColumns = ["name", "state", "requests", "errors", "p50", "p95", "p99", "retries"] as const;
export type SortColumn = (typeof sortColumns)[number];
export type SortOrder = { readonly by: SortColumn; readonly reverse: boolean };

/** Numbers begin with the largest, words at A; equal ones stay in the order of their names. */
export function sortRows(rows: readonly TopRow[], { by, reverse }: SortOrder): readonly TopRow[] {
  const named = [...rows].sort((a, b) => compareNaturally(a.name, b.name));
  const sorted =
    by === "name"
      ? named
      : named.sort(by === "state" ? compareTone : (a, b) => sortValue(b, by) - sortValue(a, by));
  return reverse ? sorted.toReversed() : sorted;
}

/** Those with the text in their name, place or state. */
export function filterRows(rows: readonly TopRow[], filter: string): readonly TopRow[] {
  const wanted = filter.trim().toLowerCase();
  if (wanted === "") return rows;
  return rows.filter(({ name, where, state }) => `${name} ${where} ${state}`.toLowerCase().includes(wanted));
}

const toneOrder: readonly Tone[] = ["bad", "warn", "ok", "idle"];

function compareTone(a: TopRow, b: TopRow): number {
  return toneOrder.indexOf(a.tone) - toneOrder.indexOf(b.tone);
}

/** What nothing is known of comes after what is nought. */
function sortValue({ measured }: TopRow, by: Exclude<SortColumn, "name" | "state">): number {
  return measured?.[sortFields[by]] ?? -1;
}

const sortFields = {
  requests: "requestsPerSecond",
  errors: "errorRatio",
  p50: "p50Ms",
  p95: "p95Ms",
  p99: "p99Ms",
  retries: "retries",
} as const;
