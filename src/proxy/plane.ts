// The data plane of one isolate: what its requests share, and what a request needs of the shell around it.

import { Flusher, type FlusherOptions } from "../telemetry/flusher.ts";
import { Meter } from "../telemetry/meter.ts";
import type { AttemptPolicy } from "./http/dial.ts";
import type { TrustsAddress } from "./http/trust.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { FrozenDetector } from "./resilience/frozen-detector.ts";
import { OpenRequests } from "./resilience/open-requests.ts";
import { Outliers } from "./resilience/outliers.ts";
import { RequestQueue } from "./resilience/request-queue.ts";
import { AllServiceStats } from "./resilience/service-stats.ts";
import { SuspectList } from "./resilience/suspects.ts";
import { Cursors } from "./routing/cursors.ts";
import { SmoothWeights } from "./routing/smooth-weights.ts";
import { StickyCookies } from "./routing/sticky.ts";
import { TableCache, type TableSource } from "./routing/table-cache.ts";

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
    readonly trusts: TrustsAddress;
    /** Sends what was counted to the telemetry object; rejects when it has to be sent again. Absent: nothing is counted. */
    readonly flush?: FlusherOptions["send"];
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
    readonly frozen: FrozenDetector;
    readonly traffic: AllServiceStats;
    readonly suspects: SuspectList;
    /** Null: nothing is counted. */
    readonly meter: Meter | null;
    readonly flusher: Flusher | null;
    readonly smoothWeights: SmoothWeights;
    readonly open: OpenRequests;
    readonly queue: RequestQueue;
    readonly sticky: StickyCookies;
    /** Bytes of bodies held for replay, of all requests under way. */
    readonly replayBuffer: { bytes: number };
  };

/** What one request has of its shell. */
export type PlaneContext = {
  readonly plane: DataPlane;
  /** Work that may go on after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

export function createPlane(options: PlaneOptions): DataPlane {
  const limits = { ...defaultLimits, ...options };
  const outliers = new Outliers();
  return {
    ...limits,
    ...metering(options, outliers, limits.headTimeoutMs),
    tables: new TableCache(options.source, options.nowMs),
    cursors: new Cursors(options.random),
    outliers,
    frozen: new FrozenDetector(),
    traffic: new AllServiceStats(),
    suspects: new SuspectList(),
    smoothWeights: new SmoothWeights(),
    open: new OpenRequests(),
    queue: new RequestQueue(),
    sticky: new StickyCookies(),
    replayBuffer: { bytes: 0 },
  };
}

function metering(
  { flush, newId, nowMs }: PlaneOptions,
  outliers: Outliers,
  longestMs: number,
): Pick<DataPlane, "meter" | "flusher"> {
  if (flush === undefined) return { meter: null, flusher: null };
  const ejectedMs = (taskId: string, atMs: number) => outliers.ejectedForMs(taskId, atMs);
  const meter = new Meter({ isolate: newId(), ejectedMs, maxResponseMs: longestMs });
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return { meter, flusher: new Flusher(meter, { send: flush, nowMs, sleep }) };
}
