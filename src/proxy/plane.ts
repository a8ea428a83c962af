// The data plane of one isolate: the state that its requests share, and the options its Worker sets.

import type { TableGateway } from "../domain/table/table.ts";
import { exitKeyId } from "../gateway/attempt.ts";
import type { FlusherOptions } from "../telemetry/flusher.ts";
import { Meter } from "../telemetry/meter.ts";
import { AttemptSigner } from "./attempt-signer.ts";
import type { TrustsAddress } from "./http/trust.ts";
import { type AttemptPolicy, attemptPolicy, defaultLimits, type Limits } from "./limits.ts";
import { type CallRegistry, RegistryLink } from "./link/registry-link.ts";
import { FrozenDetector } from "./resilience/frozen-detector.ts";
import { OpenRequests } from "./resilience/open-requests.ts";
import { Outliers } from "./resilience/outliers.ts";
import { RequestQueue } from "./resilience/request-queue.ts";
import type { StatsByService } from "./resilience/service-stats.ts";
import { SilentGateways } from "./resilience/silent-gateways.ts";
import { SuspectList } from "./resilience/suspects.ts";
import { Cursors } from "./routing/cursors.ts";
import { SmoothWeights } from "./routing/smooth-weights.ts";
import { StickyCookies } from "./routing/sticky.ts";
import { TableCache, type TableCopies } from "./routing/table-cache.ts";

/**
 * Sends an upstream request: `fetch` or a test's replacement. It takes a URL and `init`, because `fetch`
 * copies a Request once more, about six percent of a proxied request's cost.
 */
export type Dial = (url: string, init: RequestInit) => Promise<Response>;

/** Sends a request to the gateway of a node, by its transport. */
export type DialGateway = (gateway: TableGateway, nodeId: string, init: RequestInit) => Promise<Response>;

/** How upstream requests are sent. */
export type DialPolicy = {
  readonly dial: Dial;
  readonly dialGateway: DialGateway;
  /** True if tunnels and private networks are reached through the mesh's relay. Absent: by bindings. */
  readonly usesRelay?: boolean;
  /**
   * True on Cloudflare, where the platform responds with 520-527 or 530 for a target that cannot be reached.
   * Elsewhere such a status is the target's.
   */
  readonly platformStatuses: boolean;
};

/** Both ends of a pipe: what is written can be read. */
export type BodyPipe = {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
};

/** The exit of a machine: the gateway of its listeners' process, through which static servers are reached. */
export type Exit = {
  readonly gateway: TableGateway;
  readonly signer: AttemptSigner;
};

/** How a data plane reaches the exit of its machine. */
export type ExitAccess = {
  /** `http://127.0.0.1:41233` */
  readonly url: string;
  /** What both derive the key of attempts from. */
  readonly secret: string;
};

/** The options of a data plane. */
export type PlaneOptions = DialPolicy &
  Partial<Limits> & {
    readonly callRegistry: CallRegistry;
    /** False if calls of the registry cannot wait there, and newer tables come by other ways. Absent: true. */
    readonly callsWait?: boolean;
    /** True where calls of the registry cost nothing: counters are sent every two seconds. Absent: false. */
    readonly isAlwaysWatched?: boolean;
    /** Copies of the table for isolates that start. Absent: none are kept. */
    readonly tableCopies?: TableCopies | undefined;
    /**
     * Makes a pipe for a body of so many bytes, null if that is unknown. A chunk that was written belongs to
     * the writer again, so the pipe must not keep it.
     */
    readonly newBodyPipe: (bytes: number | null) => BodyPipe;
    /** Reports ejected targets to the registry; may reject. */
    readonly reportSuspects: (taskIds: readonly string[]) => Promise<unknown>;
    /** Absent: static servers are reached by `dial` alone. */
    readonly exitAccess?: ExitAccess | undefined;
    /** The mesh's name in loop marks and Via, an HTTP token. */
    readonly meshName: string;
    /** The domain under which services have the host name NAME.domain; lower case, or empty. */
    readonly domain: string;
    /** True if a client is a trusted proxy, whose forwarding headers are kept. */
    readonly trusts: TrustsAddress;
    /** True for a token of the mesh, which stops here. Absent: this plane knows no tokens. */
    readonly isMeshToken?: (text: string) => boolean;
    /**
     * Sends counters of connections in mode tcp to the telemetry object; rejects if they must be sent again.
     * Absent: telemetry is off, and requests are not counted either.
     */
    readonly flush?: FlusherOptions["send"];
    readonly nowMs: () => number;
    /** [0, 1) */
    readonly random: () => number;
    readonly newId: () => string;
  };

/**
 * One isolate's data plane. It outlives every request, so it holds nothing that is bound to one: no promise,
 * stream or response.
 */
export type DataPlane = PlaneOptions &
  Limits & {
    readonly isMeshToken: (text: string) => boolean;
    readonly tables: TableCache;
    readonly link: RegistryLink;
    readonly signer: AttemptSigner;
    readonly exit: Exit | null;
    readonly cursors: Cursors;
    readonly outliers: Outliers;
    readonly frozenDetector: FrozenDetector;
    readonly serviceStats: StatsByService;
    readonly silentGateways: SilentGateways;
    readonly suspects: SuspectList;
    /** Null if telemetry is off. */
    readonly meter: Meter | null;
    readonly smoothWeights: SmoothWeights;
    readonly openRequests: OpenRequests;
    readonly queue: RequestQueue;
    /** The policies of services without attempt options, made once. */
    readonly policies: { readonly repeatable: AttemptPolicy; readonly sentOnce: AttemptPolicy };
    readonly sticky: StickyCookies;
    /** Bytes of bodies buffered for replay, of all open requests. */
    readonly replayBuffer: { bytes: number };
  };

/** The data plane and execution context of one request. */
export type PlaneContext = {
  readonly plane: DataPlane;
  /** Keeps the isolate alive for work after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

export function createPlane(options: PlaneOptions): DataPlane {
  const limits = { ...defaultLimits, ...options };
  const outliers = new Outliers();
  const policies = {
    repeatable: attemptPolicy(limits, {}, true),
    sentOnce: attemptPolicy(limits, {}, false),
  };
  const signer = new AttemptSigner(options.newId());
  const { callRegistry, nowMs, random, domain, tableCopies } = options;
  const { isAlwaysWatched = false, callsWait: canWait = true } = options;
  const source = (afterVersion: number) => callRegistry({ afterVersion, waitMs: 0, counters: null });
  const tables = new TableCache(source, { nowMs, domain, signer, copies: tableCopies });
  const meter = meterOf(options, outliers);
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return {
    isMeshToken: () => false,
    ...limits,
    meter,
    tables,
    link: new RegistryLink({
      ...{ call: callRegistry, tables, meter, nowMs, random, sleep },
      ...{ isAlwaysWatched, canWait },
    }),
    signer,
    exit: exitOf(options),
    cursors: new Cursors(options.random),
    outliers,
    frozenDetector: new FrozenDetector(),
    serviceStats: new Map(),
    silentGateways: new SilentGateways(),
    suspects: new SuspectList(),
    smoothWeights: new SmoothWeights(),
    openRequests: new OpenRequests(),
    queue: new RequestQueue(),
    policies,
    sticky: new StickyCookies(),
    replayBuffer: { bytes: 0 },
  };
}

function exitOf({ exitAccess, newId }: PlaneOptions): Exit | null {
  if (exitAccess === undefined) return null;
  const { url, secret } = exitAccess;
  const signer = new AttemptSigner(newId());
  signer.setKeys([{ id: exitKeyId, secret }]);
  return { gateway: { transport: "direct", base: url }, signer };
}

function meterOf({ flush, newId }: PlaneOptions, outliers: Outliers): Meter | null {
  if (flush === undefined) return null;
  const ejectedMs = (taskId: string, atMs: number) => outliers.ejectedForMs(taskId, atMs);
  return new Meter({ isolate: newId(), ejectedMs });
}
