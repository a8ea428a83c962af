// What the registry and a prober tell each other.

import type { CheckSpec } from "./server.ts";
import type { RegionHealth } from "./server-health.ts";

/** One server as a prober checks it. */
export type ProbeTarget = {
  readonly serverId: string;
  /** `my-web/node1`. */
  readonly name: string;
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
  readonly check: CheckSpec;
  /** Where the counter begins, for a prober that has none of this epoch. */
  readonly counter: number;
};

/** All that a prober is to check; another hash, another list. */
export type ProbeList = { readonly hash: string; readonly targets: readonly ProbeTarget[] };

/** What a prober found of one server. */
export type ProbeReport = RegionHealth & { readonly serverId: string; readonly epoch: number };
