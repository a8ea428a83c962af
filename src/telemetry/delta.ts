// A delta: what one isolate measured since its previous delta, as it sends it to the telemetry object.

import type { GaugeReport, SparseTally } from "./metrics.ts";

/** Metrics of one target: a task or a static server. */
export type TaskDelta = SparseTally &
  GaugeReport & {
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
export type EntryDelta = SparseTally &
  GaugeReport & {
    /** Null for requests that matched no service. */
    readonly service: { readonly id: string; readonly name: string } | null;
    /** Null if no node could be picked. */
    readonly node: { readonly id: string; readonly name: string } | null;
  };

export type Delta = {
  /** The id of the isolate, new with each start. */
  readonly isolate: string;
  /** 1, 2, 3, …; a delta that is sent again keeps its number, so it counts once. */
  readonly seq: number;
  /** The data center in which the isolate runs: Cloudflare's three-letter code, or `local`. */
  readonly colo: string;
  readonly tasks: readonly TaskDelta[];
  readonly entries: readonly EntryDelta[];
};
