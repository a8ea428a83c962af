// The data plane of one isolate: what its requests share, and what a request needs of the shell around it.

import type { AttemptPolicy } from "./attempt.ts";
import { Cursors } from "./cursors.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { Outliers } from "./outliers.ts";
import { Traffic } from "./service-traffic.ts";
import { Silence } from "./silence.ts";
import { Suspects } from "./suspects.ts";
import { TableCache, type TableSource } from "./table-cache.ts";
import type { Trusts } from "./trust.ts";

/** What a shell decides about its data plane. */
export type PlaneOptions = AttemptPolicy &
  Partial<Limits> & {
    readonly source: TableSource;
    /** Names tasks that fail under this isolate's hands to the registry; may reject. */
    readonly suspect: (taskIds: readonly string[]) => Promise<unknown>;
    /** Names this mesh in Via; characters of an HTTP token. */
    readonly meshName: string;
    /** Services are also reached as NAME.domain; lower case, empty for none. */
    readonly domain: string;
    /** Whose forwarding headers are believed. */
    readonly trusts: Trusts;
    readonly nowMs: () => number;
    /** [0, 1) */
    readonly random: () => number;
    readonly newId: () => string;
  };

/** One isolate's data plane. Plain data and functions only: it outlives every request. */
export type DataPlane = PlaneOptions &
  Limits & {
    readonly tables: TableCache;
    readonly cursors: Cursors;
    readonly outliers: Outliers;
    readonly silence: Silence;
    readonly traffic: Traffic;
    readonly suspects: Suspects;
    /** Bytes of bodies held for replay, of all requests under way. */
    readonly held: { bytes: number };
  };

/** What one request has of its shell. */
export type PlaneContext = {
  readonly plane: DataPlane;
  /** Work that may go on after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

export function createPlane(options: PlaneOptions): DataPlane {
  return {
    ...defaultLimits,
    ...options,
    tables: new TableCache(options.source, options.nowMs),
    cursors: new Cursors(options.random),
    outliers: new Outliers(),
    silence: new Silence(),
    traffic: new Traffic(),
    suspects: new Suspects(),
    held: { bytes: 0 },
  };
}
