// The Worker of a mesh under the platform's rules (`waggle up --edge`): the control API and the Durable Objects of
// workers/main.ts, and the isolates of the data plane, each of which runs workers/platform/isolate.ts.
//
// @see docs/decisions/0112-edge-rules-at-the-bindings.md

import { WorkerEntrypoint, env as workerEnv } from "cloudflare:workers";
import { equalsSecret } from "../../src/domain/model/mesh-token.ts";
import { IsolatePool } from "../../src/local/platform/isolate-pool.ts";
import { ClassMeter } from "../../src/local/platform/object-counts.ts";
import type {
  CallCounts,
  PlatformCounts,
  PlatformSettings,
} from "../../src/local/platform/platform-settings.ts";
import { RowBudget } from "../../src/local/platform/row-budget.ts";
import type { Env } from "../env.ts";
import * as product from "../main.ts";
import { farStub, type ObjectBinding, type ObjectStub, objectBindings, withObjects } from "./far-objects.ts";
import { type CacheBinding, type CachedEntry, entryOf, responseOf } from "./isolate-cache.ts";
import { type ObjectsBinding, readBoundRequest } from "./isolate-objects.ts";
import { type NetworkEnv, restrictFetch, runInvocation } from "./outbound-fetch.ts";
import { type ObjectPlatform, platformObject, resetMethod } from "./platform-object.ts";

type MeshEnv = Env &
  NetworkEnv & {
    readonly PLATFORM: PlatformSettings;
    readonly LOADER: WorkerLoader;
    /** The program of an isolate, and the variables of the data plane's Worker. */
    readonly ISOLATE: { readonly source: string; readonly compatibilityDate: string };
    readonly ISOLATE_VARIABLES: Readonly<Record<string, string>>;
  };

const ownEnv = workerEnv as unknown as MeshEnv;
const settings = ownEnv.PLATFORM;
restrictFetch(ownEnv);

const unlimited = { read: Number.POSITIVE_INFINITY, written: Number.POSITIVE_INFINITY };
const rows = new RowBudget(settings.rowsPerDay ?? unlimited);
const counts = { requests: 0, objectRequests: 0, overloads: 0 };
const calls: Record<string, CallCounts> = {};
const meters = Object.fromEntries(objectBindings.map((binding) => [binding, new ClassMeter()])) as Readonly<
  Record<ObjectBinding, ClassMeter>
>;
const pool = new IsolatePool(settings, Date.now());
/** Objects that were called, as `REGISTRY mesh`; they can be reset. */
const knownObjects = new Set<string>();

/** The environment of the control API. */
const controlEnv = withObjects(ownEnv, connectFrom("control"));

/** Who calls an object. */
type ObjectCaller = "control" | "isolate" | "object";

function connectFrom(caller: ObjectCaller) {
  return (binding: ObjectBinding, name: string): ObjectStub => {
    knownObjects.add(`${binding} ${name}`);
    const stub = farStub(ownEnv, settings.rttMs, binding, name);
    const count = (bytes: number): void => {
      const before = calls[`${caller} ${binding}`] ?? { count: 0, replyBytes: 0 };
      calls[`${caller} ${binding}`] = { count: before.count + 1, replyBytes: before.replyBytes + bytes };
    };
    return {
      fetch: (request) => {
        count(0);
        return stub.fetch(request);
      },
      call: async (method, args) => {
        const reply = await stub.call(method, args);
        count(replyBytes(reply));
        return reply;
      },
    };
  };
}

/** The size of the texts and bytes in a reply. */
function replyBytes(reply: unknown): number {
  if (typeof reply === "string") return reply.length;
  if (ArrayBuffer.isView(reply)) return reply.byteLength;
  if (typeof reply !== "object" || reply === null) return 0;
  return Object.values(reply).reduce<number>((sum, value) => sum + replyBytes(value), 0);
}

const connectIsolate = connectFrom("isolate");

const platform: ObjectPlatform = {
  requestsPerSecond: settings.requestsPerSecond,
  rows,
  env: withObjects(ownEnv, connectFrom("object")),
  onRequest: (isRefused) => {
    counts.objectRequests += 1;
    if (isRefused) counts.overloads += 1;
  },
};

export const MeshProber = platformObject(product.MeshProber, platform, meters.PROBER);
export const MeshRegistry = platformObject(product.MeshRegistry, platform, meters.REGISTRY);
export const MeshTelemetry = platformObject(product.MeshTelemetry, platform, meters.TELEMETRY);
export const MeshTunnel = platformObject(product.MeshTunnel, platform, meters.TUNNEL);

/** The objects, as the isolates call them. */
export class Objects extends WorkerEntrypoint implements ObjectsBinding {
  call(binding: ObjectBinding, name: string, method: string, args: readonly unknown[]): Promise<unknown> {
    return connectIsolate(binding, name).call(method, args);
  }

  override fetch(request: Request): Promise<Response> {
    const { binding, name, request: sent } = readBoundRequest(request);
    return connectIsolate(binding, name).fetch(sent);
  }
}

/** The cache of one data center, as its isolates call it; the property `colo` names it. */
export class DataCenterCache
  extends WorkerEntrypoint<MeshEnv, { readonly colo: string }>
  implements CacheBinding
{
  async match(url: string): Promise<CachedEntry | null> {
    const response = await (await this.#cache()).match(url);
    return response === undefined ? null : entryOf(response as unknown as Response);
  }

  async put(url: string, entry: CachedEntry): Promise<void> {
    await (await this.#cache()).put(url, responseOf(entry) as never);
  }

  #cache(): Promise<Cache> {
    return caches.open(this.ctx.props.colo);
  }
}

/** The listeners' socket: one isolate serves a request. */
export const Entry = {
  fetch(request, _env, ctx) {
    counts.requests += 1;
    const { place, generation, colo } = pool.pick(Date.now());
    const isolate = ownEnv.LOADER.get(`isolate-${place}-${generation}`, () => isolateCode(ctx, colo));
    return isolate.getEntrypoint("Entry").fetch(request, { cf: { colo } });
  },
} satisfies ExportedHandler;

function isolateCode(ctx: ExecutionContext, colo: string): WorkerLoaderWorkerCode {
  const { exports } = ctx as unknown as { readonly exports: MeshExports };
  const { NETWORK_URL, NETWORK_SECRET, ISOLATE, ISOLATE_VARIABLES } = ownEnv;
  return {
    compatibilityDate: ISOLATE.compatibilityDate,
    compatibilityFlags: ["enable_request_signal"],
    mainModule: "isolate.js",
    modules: { "isolate.js": ISOLATE.source },
    env: {
      ...ISOLATE_VARIABLES,
      NETWORK_URL,
      NETWORK_SECRET,
      OBJECTS: exports.Objects({ props: {} }),
      CACHE: exports.DataCenterCache({ props: { colo } }),
    },
  };
}

/** What isolates reach of this Worker. */
type MeshExports = {
  Objects(options: { readonly props: object }): unknown;
  DataCenterCache(options: { readonly props: { readonly colo: string } }): unknown;
};

/** The control API's socket. */
export const Control = {
  fetch(request) {
    return runInvocation(() => product.Control.fetch(request, controlEnv));
  },
} satisfies ExportedHandler;

/** The socket of `waggle up`: counts, and resets. */
export default {
  async fetch(request) {
    if (!equalsSecret(request.headers.get("authorization") ?? "", ownEnv.ENTRY_KEY))
      return new Response(null, { status: 403 });
    if (request.method === "GET") return Response.json(currentCounts());
    const { random } = await request.json<{ readonly random: number }>();
    const names = [...knownObjects];
    const chosen = names[Math.floor(random * names.length)] ?? null;
    if (chosen !== null) await reset(chosen);
    return Response.json({ reset: chosen });
  },
} satisfies ExportedHandler;

function currentCounts(): PlatformCounts {
  const atMs = Date.now();
  const objects = Object.fromEntries(
    objectBindings.map((binding) => [binding, meters[binding].counts(atMs)]),
  );
  return { ...counts, atMs, evictions: pool.evictions, rows: rows.total, calls: { ...calls }, objects };
}

async function reset(object: string): Promise<void> {
  const [binding, name] = object.split(" ") as [ObjectBinding, string];
  // The call fails, because it ends the object.
  await farStub(ownEnv, 0, binding, name)
    .call(resetMethod, [])
    .catch(() => undefined);
}
