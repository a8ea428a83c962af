// Creates this isolate's data plane from the bindings and variables of its Worker.

import { tokenRecognizer } from "../src/domain/model/mesh-token.ts";
import { readableTableFormats } from "../src/domain/table/text.ts";
import { toRelayHeaders } from "../src/gateway/relay.ts";
import { authorityOf, hostName } from "../src/proxy/http/host.ts";
import { readTrusted } from "../src/proxy/http/trust.ts";
import { type LimitVariables, readLimits } from "../src/proxy/limits.ts";
import {
  createPlane,
  type DataPlane,
  type Dial,
  type DialGateway,
  type PlaneOptions,
} from "../src/proxy/plane.ts";
import { unzip } from "../src/proxy/routing/sealed-copy.ts";
import { dataPoints } from "../src/telemetry/data-points.ts";
import { deltaText } from "../src/telemetry/delta.ts";
import type { Env, RouterEnv } from "./env.ts";
import { registryOf, telemetryOf, tunnelOf } from "./objects.ts";
import { type RouterCalls, routerCalls } from "./router-calls.ts";
import { tableCopiesOf } from "./table-copies.ts";

/** The bindings and variables of a Worker with a data plane. */
export type PlaneEnv = Omit<Env, "CONTROL_HOST"> & LimitVariables & Partial<RouterEnv>;

let plane: DataPlane | undefined;

/** This isolate's data plane. @param host the host name of its first request */
export function planeOf(env: PlaneEnv, host = ""): DataPlane {
  plane ??= createPlane({
    ...meshCalls(env),
    isAlwaysWatched: env.MESH_MODE === "local",
    tableCopies: tableCopiesOf(env, host),
    dial: dialerOf(env),
    dialGateway: gatewayDialerOf(env),
    exitAccess: exitAccessOf(env),
    ...readLimits(env),
    newBodyPipe: (bytes) => (bytes === null ? new IdentityTransformStream() : new FixedLengthStream(bytes)),
    usesRelay: Boolean(env.RELAY_URL),
    platformStatuses: env.MESH_MODE === "edge",
    meshName: planeName(env),
    domain: env.MESH_DOMAIN.toLowerCase(),
    trusts: readTrusted(env.TRUSTED_PROXIES),
    nowMs: () => Date.now(),
    random: Math.random,
    newId: () => crypto.randomUUID(),
  });
  return plane;
}

/** The mesh's name in loop marks and Via, an HTTP token. */
export function planeName({ MESH_NAME }: Pick<PlaneEnv, "MESH_NAME">): string {
  return MESH_NAME.replaceAll(/[^\w.-]/g, "-") || "waggle";
}

/** This isolate's data plane. The first request sets its data center. */
export function planeAt(request: Request, env: PlaneEnv): DataPlane {
  const isolatePlane = plane ?? planeOf(env, hostName(authorityOf(request.url)));
  if (isolatePlane.meter?.colo === "") isolatePlane.meter.colo = coloOf(request);
  return isolatePlane;
}

/** The three-letter code of the request's data center. An isolate never moves to another one. */
function coloOf(request: Request): string {
  const { colo } = (request.cf ?? {}) as { readonly colo?: unknown };
  return typeof colo === "string" && /^[A-Z]{3}$/.test(colo) ? colo : "local";
}

function dialerOf({ MESH_MODE }: Pick<PlaneEnv, "MESH_MODE">): Dial {
  return MESH_MODE === "edge" ? dialUncached : (url, init) => fetch(url, init);
}

/**
 * Reaches gateways. The URL is the same for every request to one: the gateway reads the target elsewhere. The
 * Workers VPC network decides by the URL, whose host may be a private address.
 */
export function gatewayDialerOf(
  env: Pick<PlaneEnv, "MESH_MODE" | "VPC" | "TUNNEL"> & Partial<RouterEnv>,
): DialGateway {
  const dial = dialerOf(env);
  return ({ transport, base }, nodeId, init) => {
    if (transport === "direct") return dial(`${base}/`, init);
    if (env.RELAY_URL) return dial(env.RELAY_URL + nodeId, relayedInit(init, env));
    const fetcher = transport === "vpc" ? env.VPC : tunnelOf(env, nodeId);
    if (fetcher === undefined) return Promise.reject(new Error(`this Worker has no transport ${transport}`));
    const url = transport === "vpc" ? `${base}/` : "https://gateway/";
    return init instanceof Request ? fetcher.fetch(new Request(url, init)) : fetcher.fetch(url, init);
  };
}

function exitAccessOf({ EXIT_URL, EXIT_SECRET }: PlaneEnv): PlaneOptions["exitAccess"] {
  return EXIT_URL && EXIT_SECRET ? { url: EXIT_URL, secret: EXIT_SECRET } : undefined;
}

/** An attempt as the relay gets it. The headers of `init` may go to the gateway of another node next. */
function relayedInit(
  init: RequestInit,
  { NODE_ID = "", RELAY_CREDENTIAL = "" }: Partial<RouterEnv>,
): RequestInit {
  const headers = toRelayHeaders(init.headers as Headers, { nodeId: NODE_ID, credential: RELAY_CREDENTIAL });
  return init instanceof Request ? new Request(init, { headers }) : { ...init, headers };
}

/** Bypasses Cloudflare's cache, which would respond for a task. A negative TTL adds no header. */
const uncached: RequestInit = { cf: { cacheTtlByStatus: { "100-599": -1 } } };

const dialUncached: Dial = (url, init) =>
  init instanceof Request ? fetch(new Request(url, init), uncached) : fetch(url, { ...init, ...uncached });

/** How the data plane reaches the mesh: over HTTP on a machine of its own, else by bindings. */
function meshCalls(env: PlaneEnv): RouterCalls {
  const { CONTROL_URL, NODE_ID, NODE_CREDENTIAL } = env;
  if (CONTROL_URL && NODE_ID && NODE_CREDENTIAL)
    return routerCalls({ CONTROL_URL, NODE_ID, NODE_CREDENTIAL });
  const isMeshToken = tokenRecognizer([env.OPERATOR_TOKEN, env.VIEWER_TOKEN]);
  return { ...registryCalls(env), ...telemetryCalls(env), isMeshToken };
}

/**
 * Calls to the registry object, each with a new stub, because a stub that failed may stay broken. They carry
 * a router id: the registry stops a task only after all live routers have a table without it.
 */
function registryCalls(env: PlaneEnv): Pick<PlaneOptions, "callRegistry" | "reportSuspects"> {
  const routerId = crypto.randomUUID();
  const { ANALYTICS } = env;
  return {
    callRegistry: async ({ afterVersion, waitMs, counters }) => {
      const { table, ...reply } = await registryOf(env).exchange({
        routerId,
        afterVersion,
        formats: readableTableFormats,
        waitMs,
        counters: counters && { seq: counters.seq, text: deltaText(counters, Date.now()) },
        callerMs: Date.now(),
      });
      if (reply.counted && counters !== null && ANALYTICS !== undefined)
        for (const point of dataPoints(counters)) ANALYTICS.writeDataPoint(point);
      const text = table?.kind === "whole" ? await unzip(ownBytes(table.gzip)) : (table?.text ?? null);
      return { ...reply, text };
    },
    reportSuspects: async (taskIds) => registryOf(env).suspect(routerId, taskIds),
  };
}

/** Bytes of RPC, for the compiler: they are in no shared memory. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** Sends the counters of connections in mode tcp to the telemetry object, and to Analytics Engine if it is bound. */
function telemetryCalls(env: PlaneEnv): Pick<PlaneOptions, "flush"> {
  // A configuration of an earlier release has no such binding: telemetry is off then.
  if (env.TELEMETRY === undefined) return {};
  const { ANALYTICS } = env;
  return {
    flush: async (delta) => {
      const result = await telemetryOf(env).count(delta, Date.now());
      if (!result.ok) console.error({ message: "telemetry was refused", why: result.problem.message });
      else if (result.value) for (const point of dataPoints(delta)) ANALYTICS?.writeDataPoint(point);
    },
  };
}
