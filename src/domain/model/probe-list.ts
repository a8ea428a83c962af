// The messages between the registry and a prober: the servers to check, and the results of the checks.

import type { CheckSpec } from "./server.ts";
import type { RegionHealth } from "./server-health.ts";

/** One server for a prober to check. */
export type ProbeTarget = {
  readonly serverId: string;
  /** `my-web/node1`. */
  readonly name: string;
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
  readonly check: CheckSpec;
  /** The initial counter for a prober that has not checked this epoch yet. */
  readonly counter: number;
};

/** Everything a prober checks; the hash changes with the list. */
export type ProbeList = { readonly hash: string; readonly targets: readonly ProbeTarget[] };

/** Longest time between two reports of a prober that has servers to check, milliseconds. */
export const maxProbeReportGapMs = 30_000;

/** The checks of one server as one prober's region counts them. */
export type ProbeReport = RegionHealth & { readonly serverId: string; readonly epoch: number };
