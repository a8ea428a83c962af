// A delta: what one isolate measured since its previous delta, as it sends it to the telemetry object.

import type { MetricReport } from "./metrics.ts";

/** Metrics of one target: a task or a static server. */
export type TaskDelta = MetricReport & {
  readonly id: string;
  /** `my-web.1`. */
  readonly name: string;
  readonly slot: number;
  /** Empty for a static server. */
  readonly nodeId: string;
  readonly serviceId: string;
  readonly serviceName: string;
  /** For how long from now the isolate ejects the target, milliseconds; 0 if it does not. */
  readonly ejectedMs: number;
};

/** Metrics of one service at one node's entry point. */
export type EntryDelta = MetricReport & {
  /** Null for requests that matched no service. */
  readonly service: { readonly id: string; readonly name: string } | null;
  /** Null if no node could be picked. */
  readonly node: { readonly id: string; readonly name: string } | null;
};

/**
 * When the requests of a delta ended, by the isolate's clock. Only differences are used, so it may differ from the
 * telemetry object's.
 */
export type DeltaTimes = {
  /** When the delta was taken, epoch milliseconds. */
  readonly takenMs: number;
  /** When it was sent this time, epoch milliseconds; absent: when it was taken. */
  readonly sentMs?: number;
  /** Lengths of consecutive slices of time, oldest first, milliseconds. The last one ends at `takenMs`. */
  readonly slicesMs: readonly number[];
};

export type Delta = {
  /** The id of the isolate, new with each start. */
  readonly isolate: string;
  /** 1, 2, 3, …; a delta that is sent again keeps its number, so it counts once. */
  readonly seq: number;
  /** The data center in which the isolate runs: Cloudflare's three-letter code, or `local`. */
  readonly colo: string;
  /** Absent from isolates of earlier releases: the requests ended when the delta arrives. */
  readonly times?: DeltaTimes;
  readonly tasks: readonly TaskDelta[];
  readonly entries: readonly EntryDelta[];
};

/** A delta as JSON, as it is sent now: one that could not be sent earlier says so. */
export function deltaText(delta: Delta, nowMs: number): string {
  const { times } = delta;
  return JSON.stringify(times === undefined ? delta : { ...delta, times: { ...times, sentMs: nowMs } });
}
