// What `waggle top` shows: a row for each service, node and task, with what was measured of it lately.

import type { Now } from "../../telemetry/now.ts";
import { byNature } from "../output.ts";

export type Measured = Now & {
  /** Further attempts a second; null when it is not known yet. */
  readonly retries: number | null;
};

export type Tone = "ok" | "warn" | "bad" | "idle";

export type Row = {
  readonly name: string;
  /** Of a task its node, of a node its address, of a service what it publishes. */
  readonly where: string;
  /** `2/2`, `ready`, `running UP`. */
  readonly state: string;
  readonly tone: Tone;
  /** Null: nothing is measured of it. */
  readonly measured: Measured | null;
  /** Requests a second over the last minutes, oldest first. */
  readonly trend: readonly number[];
};

export type SectionName = "services" | "nodes" | "tasks";

/** One reading of the mesh. */
export type Reading = {
  readonly mesh: string;
  readonly url: string;
  readonly atMs: number;
  /** Of all requests together. */
  readonly total: Measured | null;
  readonly sections: Readonly<Record<SectionName, readonly Row[]>>;
  /** What is not well, a sentence each. */
  readonly problems: readonly string[];
  /** Why nothing is measured; empty when something is. */
  readonly unmeasured: string;
};

export const sortColumns = ["name", "state", "requests", "errors", "p50", "p95", "p99", "retries"] as const;
export type SortColumn = (typeof sortColumns)[number];
export type Order = { readonly by: SortColumn; readonly reverse: boolean };

/** Numbers begin with the largest, words at A; equal ones stay in the order of their names. */
export function ordered(rows: readonly Row[], { by, reverse }: Order): readonly Row[] {
  const named = [...rows].sort((a, b) => byNature(a.name, b.name));
  const sorted =
    by === "name" ? named : named.sort(by === "state" ? byTone : (a, b) => figure(b, by) - figure(a, by));
  return reverse ? sorted.toReversed() : sorted;
}

/** Those with the text in their name, place or state. */
export function matching(rows: readonly Row[], filter: string): readonly Row[] {
  const wanted = filter.trim().toLowerCase();
  if (wanted === "") return rows;
  return rows.filter(({ name, where, state }) => `${name} ${where} ${state}`.toLowerCase().includes(wanted));
}

const tones: readonly Tone[] = ["bad", "warn", "ok", "idle"];

function byTone(a: Row, b: Row): number {
  return tones.indexOf(a.tone) - tones.indexOf(b.tone);
}

/** What nothing is known of comes after what is nought. */
function figure({ measured }: Row, by: Exclude<SortColumn, "name" | "state">): number {
  return measured?.[figures[by]] ?? -1;
}

const figures = {
  requests: "requests",
  errors: "errors",
  p50: "p50Ms",
  p95: "p95Ms",
  p99: "p99Ms",
  retries: "retries",
} as const;
