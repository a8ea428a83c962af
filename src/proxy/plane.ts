// The data plane of one isolate: the state that its requests share, and what the shell around it provides.

import { Flusher, type FlusherOptions } from "../telemetry/flusher.ts";
import { Meter } from "../telemetry/meter.ts";
import type { TrustsAddress } from "./http/trust.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { FrozenDetector } from "./resilience/frozen-detector.ts";
import { OpenRequests } from "./resilience/open-requests.ts";
import { Outliers } from "./resilience/outliers.ts";
import { RequestQueue } from "./resilience/request-queue.ts";
import type { StatsByService } from "./resilience/service-stats.ts";
import { SuspectList } from "./resilience/suspects.ts";
import { Cursors } from "./routing/cursors.ts";
import { SmoothWeights } from "./routing/smooth-weights.ts";
import { StickyCookies } from "./routing/sticky.ts";
import { TableCache, type TableSource } from "./routing/table-cache.ts";

/**
 * How a request is sent on; `fetch`, or what stands in for it. Takes URL and settings: `fetch` would copy a Request made
 * for it once more, some six percent of what proxying a request costs.
 */
export type Dial = (url: string, init: RequestInit) => Promise<Response>;

/** How requests are sent, the same for all of a data plane. */
export type DialPolicy = {
  readonly dial: Dial;
  /**
   * True on Cloudflare, where a target that cannot be reached comes back as a response of the platform's (520-527, 530).
   * Elsewhere such a status is the target's own.
   */
  readonly platformStatuses: boolean;
};

/** What a shell decides about its data plane. */
export type PlaneOptions = DialPolicy &
  Partial<Limits> & {
    readonly source: TableSource;
    /** Reports targets that this isolate ejected to the registry; may reject. */
    readonly suspect: (taskIds: readonly string[]) => Promise<unknown>;
    /** Names this mesh in Via; characters of an HTTP token. */
    readonly meshName: string;
    /** Services are also reached as NAME.domain; lower case, empty for none. */
    readonly domain: string;
    /** Whether a client's address is a trusted proxy, whose forwarding headers are kept. */
    readonly trusts: TrustsAddress;
    /** Sends counters to the telemetry object; rejects when they must be sent again. Absent: nothing is counted. */
    readonly flush?: FlusherOptions["send"];
    readonly nowMs: () => number;
    /** [0, 1) */
    readonly random: () => number;
    readonly newId: () => string;
  };

/** One isolate's data plane. It holds plain data and functions only, because it outlives every request. */
export type DataPlane = PlaneOptions &
  Limits & {
    readonly tables: TableCache;
    readonly cursors: Cursors;
    readonly outliers: Outliers;
    readonly frozen: FrozenDetector;
    readonly stats: StatsByService;
    readonly suspects: SuspectList;
    /** Null where nothing is counted. */
    readonly meter: Meter | null;
    readonly flusher: Flusher | null;
    readonly smoothWeights: SmoothWeights;
    readonly open: OpenRequests;
    readonly queue: RequestQueue;
    readonly sticky: StickyCookies;
    /** Bytes of bodies buffered for replay, of all open requests. */
    readonly replayBuffer: { bytes: number };
  };

/** What the shell provides for one request. */
export type PlaneContext = {
  readonly plane: DataPlane;
  /** Keeps work going after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

export function createPlane(options: PlaneOptions): DataPlane {
  const limits = { ...defaultLimits, ...options };
  const outliers = new Outliers();
  return {
    ...limits,
    ...metering(options, outliers, limits.headTimeoutMs),
    tables: new TableCache(options.source, options.nowMs, options.domain),
    cursors: new Cursors(options.random),
    outliers,
    frozen: new FrozenDetector(),
    stats: new Map(),
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
  maxResponseMs: number,
): Pick<DataPlane, "meter" | "flusher"> {
  if (flush === undefined) return { meter: null, flusher: null };
  const ejectedMs = (taskId: string, atMs: number) => outliers.ejectedForMs(taskId, atMs);
  const meter = new Meter({ isolate: newId(), ejectedMs, maxResponseMs });
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return { meter, flusher: new Flusher(meter, { send: flush, nowMs, sleep }) };
}
