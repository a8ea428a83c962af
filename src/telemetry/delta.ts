// A delta: what one isolate counted since its last one, as it is sent to the telemetry object.

import type { GaugeReport, SparseTally } from "./metrics.ts";

/** What was counted of one task, or of one server that stands for one. */
export type TaskDelta = SparseTally &
  GaugeReport & {
    readonly id: string;
    /** `my-web.1`. */
    readonly name: string;
    readonly slot: number;
    /** Empty for a server: it is on no node. */
    readonly nodeId: string;
    readonly serviceId: string;
    readonly serviceName: string;
    /** For how long from now the isolate passes it over, milliseconds; 0: it does not. */
    readonly ejectedMs: number;
  };

/** What was counted of one service at one node's entry point. */
export type EntryDelta = SparseTally &
  GaugeReport & {
    /** Null: the request was for no service of the mesh. */
    readonly service: { readonly id: string; readonly name: string } | null;
    /** Null: no node could be picked. */
    readonly node: { readonly id: string; readonly name: string } | null;
  };

export type Delta = {
  /** Names the isolate, anew each time it starts. */
  readonly isolate: string;
  /** 1, 2, 3, …: a delta sent again has its number again, so that it counts once. */
  readonly seq: number;
  /** The data center in which the isolate runs: Cloudflare's three-letter code, or `local`. */
  readonly colo: string;
  readonly tasks: readonly TaskDelta[];
  readonly entries: readonly EntryDelta[];
};
