// The rows of `waggle top`, one for each service, node and task, and how they are sorted and filtered.

import type { Rates } from "../../telemetry/rates.ts";
import { compareNaturally } from "../output.ts";

export type RowMeasurements = Rates & {
  /** Attempts after the first, per second; null before a second reading. */
  readonly retries: number | null;
};

export type Tone = "ok" | "warn" | "bad" | "idle";

export type TopRow = {
  readonly name: string;
  /** The node of a task, the address of a node, the published ports and host names of a service. */
  readonly where: string;
  /** `2/2`, `ready`, `running UP`. */
  readonly state: string;
  readonly tone: Tone;
  /** Null if telemetry is unavailable. */
  readonly measured: RowMeasurements | null;
  /** Requests per second over the last minutes, oldest first. */
  readonly trend: readonly number[];
};

export type SectionName = "services" | "nodes" | "tasks";

/** The mesh at one time. */
export type TopReading = {
  readonly mesh: string;
  readonly url: string;
  readonly atMs: number;
  /** All requests of the mesh. */
  readonly total: RowMeasurements | null;
  /** How old the measurements are, milliseconds: routers report every half minute until a reader looks. */
  readonly ageMs: number;
  readonly sections: Readonly<Record<SectionName, readonly TopRow[]>>;
  /** Problems, one sentence each. */
  readonly problems: readonly string[];
  /** Why there are no measurements; empty if there are some. */
  readonly unmeasured: string;
};

export const sortColumns = ["name", "state", "requests", "errors", "p50", "p95", "p99", "retries"] as const;
export type SortColumn = (typeof sortColumns)[number];
export type SortOrder = { readonly by: SortColumn; readonly reverse: boolean };

/** Sorts rows: numbers descending, names ascending, states from the worst. Ties sort by name. */
export function sortRows(rows: readonly TopRow[], { by, reverse }: SortOrder): readonly TopRow[] {
  const byName = [...rows].sort((a, b) => compareNaturally(a.name, b.name));
  const sorted =
    by === "name"
      ? byName
      : byName.sort(by === "state" ? compareTone : (a, b) => sortValue(b, by) - sortValue(a, by));
  return reverse ? sorted.toReversed() : sorted;
}

/** The rows whose name, location or state contains the text, in any case. */
export function filterRows(rows: readonly TopRow[], filter: string): readonly TopRow[] {
  const query = filter.trim().toLowerCase();
  if (query === "") return rows;
  return rows.filter(({ name, where, state }) => `${name} ${where} ${state}`.toLowerCase().includes(query));
}

const toneOrder: readonly Tone[] = ["bad", "warn", "ok", "idle"];

function compareTone(a: TopRow, b: TopRow): number {
  return toneOrder.indexOf(a.tone) - toneOrder.indexOf(b.tone);
}

/** Unknown values sort after zero. */
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
