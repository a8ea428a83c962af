// Where a request came in, as each shell knows it, and the data plane it is handed to.

import { edge } from "../src/edge/handle.ts";
import { ingress } from "../src/ingress/handle.ts";
import type { Dial } from "../src/proxy/attempt.ts";
import type { Entry } from "../src/proxy/entry.ts";
import { type Failure, failureResponse } from "../src/proxy/failure.ts";
import { authorityOf, hostName, ownPort, portSaid, schemeOf } from "../src/proxy/host.ts";
import { type LimitVariables, readLimits } from "../src/proxy/limits.ts";
import { createPlane, type DataPlane, type PlaneOptions } from "../src/proxy/plane.ts";
import { readTrusted } from "../src/proxy/trust.ts";
import { dataPoints } from "../src/telemetry/data-points.ts";
import type { Env } from "./env.ts";
import { placing } from "./placing.ts";

/** What the data plane needs of its Worker's bindings; a Worker without control has no more. */
export type PlaneEnv = Omit<Env, "CONTROL_HOST"> & LimitVariables;

let plane: DataPlane | undefined;

/** This isolate's data plane. */
export function planeOf(env: PlaneEnv): DataPlane {
  plane ??= createPlane({
    ...registryOf(env),
    ...telemetryOf(env),
    dial: env.MESH_MODE === "edge" ? dialUncached : (url, init) => fetch(url, init),
    ...readLimits(env),
    platformStatuses: env.MESH_MODE === "edge",
    meshName: env.MESH_NAME.replaceAll(/[^\w.-]/g, "-") || "waggle",
    domain: env.MESH_DOMAIN.toLowerCase(),
    trusts: readTrusted(env.TRUSTED_PROXIES),
    nowMs: () => Date.now(),
    random: Math.random,
    newId: () => crypto.randomUUID(),
  });
  return plane;
}

/** Cloudflare's cache would otherwise answer for a task; a negative time keeps out of it and adds no header. */
const uncached: RequestInit = { cf: { cacheTtlByStatus: { "100-599": -1 } } };

const dialUncached: Dial = (url, init) =>
  init instanceof Request ? fetch(new Request(url, init), uncached) : fetch(url, { ...init, ...uncached });

/**
 * Asks the registry object, by a new stub each time: one that has failed may stay broken. Says which router asks: a
 * task is stopped only once no live router routes by a table that still has it.
 */
function registryOf(env: PlaneEnv): Pick<PlaneOptions, "source" | "suspect"> {
  const options = placing(env);
  const routerId = crypto.randomUUID();
  return {
    source: async (afterVersion) => {
      const registry = env.REGISTRY.getByName("mesh", options);
      const { version, text, cookieKey } = await registry.table(afterVersion, routerId);
      return cookieKey === undefined ? { version, text } : { version, text, cookieKey };
    },
    suspect: async (taskIds) => env.REGISTRY.getByName("mesh", options).suspect(routerId, taskIds),
  };
}

/** Sends what was counted to the telemetry object, and to Analytics Engine where that is bound. */
function telemetryOf(env: PlaneEnv): Pick<PlaneOptions, "flush"> {
  // Without the binding (a configuration of an earlier release) nothing is counted, and traffic goes on.
  if (env.TELEMETRY === undefined) return {};
  const { TELEMETRY, ANALYTICS } = env;
  const options = placing(env);
  return {
    flush: async (delta) => {
      const counted = await TELEMETRY.getByName("mesh", options).count(delta);
      if (!counted.ok) console.error({ message: "telemetry was refused", why: counted.problem.message });
      else if (counted.value) for (const point of dataPoints(delta)) ANALYTICS?.writeDataPoint(point);
    },
  };
}

/** Hands a request to the data plane: to the balancer, or to a node's own entry point. */
export function serve(
  request: Request,
  entry: Entry,
  env: PlaneEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  try {
    const context = {
      plane: planeAt(request, env),
      waitUntil: (work: Promise<unknown>) => ctx.waitUntil(work),
    };
    const answer = entry.role === "edge" ? edge(request, entry, context) : ingress(request, entry, context);
    return answer.catch((error) => broken(request, error));
  } catch (error) {
    return Promise.resolve(broken(request, error));
  }
}

/** This isolate's data plane, which from its first request on knows where in the world it is. */
function planeAt(request: Request, env: PlaneEnv): DataPlane {
  const own = planeOf(env);
  if (own.meter?.place === "") own.meter.place = placeOf(request);
  return own;
}

/** The data center that took the request, as its three letters: an isolate never moves to another. */
function placeOf(request: Request): string {
  const { colo } = (request.cf ?? {}) as { readonly colo?: unknown };
  return typeof colo === "string" && /^[A-Z]{3}$/.test(colo) ? colo : "local";
}

/** The answer when something is wrong that no request should be able to bring about, such as a variable. */
function broken(request: Request, error: unknown): Response {
  const id = crypto.randomUUID();
  console.error({ message: "the data plane failed", requestId: id, error: String(error) });
  return refuse(request, { status: 500, reason: "the mesh failed to handle this request" }, id);
}

/**
 * Serves a request as it came in on Cloudflare: at a node's entry point when it asks for the node's host name, else at
 * the edge. The port counts unless it is the scheme's own.
 *
 * @param node the node this Worker is the entry point of, when it is one node's own
 * @param serveAs takes the request on; a Worker that shows the balancer's statistics has its own
 */
export function serveByHost(
  request: Request,
  env: PlaneEnv,
  ctx: ExecutionContext,
  node: string | null,
  serveAs: typeof serve = serve,
): Promise<Response> {
  const { url } = request;
  const scheme = schemeOf(url);
  const port = portSaid(scheme, authorityOf(url));
  const client = request.headers.get("cf-connecting-ip") ?? "unknown";
  const arrival = { node, port: port === ownPort[scheme] ? null : port, client };
  return serveArrival(request, arrival, env, ctx, serveAs);
}

/** What a shell knows of where a request came in. Without a node the host name may tell of one. */
export type Arrival = Pick<Entry, "node" | "port" | "client">;

/** Serves a request at the node it came in at or asks for by host name, else at the edge. */
export function serveArrival(
  request: Request,
  { node, port, client }: Arrival,
  env: PlaneEnv,
  ctx: ExecutionContext,
  serveAs: typeof serve = serve,
): Promise<Response> {
  const { url } = request;
  const serveAt = (at: string | null) => {
    const entry: Entry = {
      role: at === null ? "edge" : "ingress",
      node: at,
      port,
      client,
      scheme: schemeOf(url),
      mayDebug: () => hasToken(request, env),
    };
    return serveAs(request, entry, env, ctx);
  };
  try {
    const at = node ?? nodeOfHost(hostName(authorityOf(url)), env, ctx);
    return at instanceof Promise ? at.then(serveAt) : serveAt(at);
  } catch (error) {
    return Promise.resolve(broken(request, error));
  }
}

/** `NODE.nodes.DOMAIN`, or a host name the node itself was given. Waits only before the first table. */
function nodeOfHost(
  host: string,
  env: PlaneEnv,
  ctx: ExecutionContext,
): string | null | Promise<string | null> {
  const { tables, domain } = planeOf(env);
  const suffix = `.nodes.${domain}`;
  if (domain !== "" && host.endsWith(suffix)) return host.slice(0, -suffix.length);
  const routes = tables.current((work) => ctx.waitUntil(work));
  if (routes !== null) return routes.nodeOfHost(host)?.id ?? null;
  return tables.fresh().then((first) => first?.nodeOfHost(host)?.id ?? null);
}

/**
 * Where a request came in on this machine, as the listener of the published port says in `x-waggle-entry`:
 * `KEY edge|ingress NODE|- PORT|- CLIENT http|https`. Null when the key is not ours.
 */
export function entryOfHeader(request: Request, env: PlaneEnv): Entry | null {
  const words = request.headers.get("x-waggle-entry")?.split(" ") ?? [];
  const [key = "", role, node, port, client = "unknown", scheme] = words;
  if (!sameText(key, env.ENTRY_KEY)) return null;
  return {
    role: role === "edge" ? "edge" : "ingress",
    node: node === undefined || node === "-" ? null : node,
    port: port === undefined || port === "-" ? null : Number(port),
    client,
    scheme: scheme === "https" ? "https" : "http",
    mayDebug: () => hasToken(request, env),
  };
}

/** The answer on the listeners' socket to anybody else. */
export function notAListener(request: Request): Response {
  const reason = "this socket takes requests from the mesh's own listeners only; use a published port";
  return refuse(request, { status: 403, reason }, crypto.randomUUID());
}

function refuse(request: Request, failure: Failure, requestId: string): Response {
  return failureResponse(failure, request.method, request.headers.get("accept"), requestId);
}

/** Compares in a time that depends on the length of `given` only. A secret that is not set is never matched. */
function sameText(given: string, secret: string | null | undefined): boolean {
  // A workerd of one's own binds an environment variable that is not set as null.
  if (secret === undefined || secret === null || secret === "") return false;
  let difference = given.length ^ secret.length;
  for (let i = 0; i < given.length; i += 1)
    difference |= given.charCodeAt(i) ^ secret.charCodeAt(i % secret.length);
  return difference === 0;
}

/** The token for `x-waggle-debug` comes in `x-waggle-token`, which stops here: Authorization is the task's. */
function hasToken(request: Request, { OPERATOR_TOKEN, VIEWER_TOKEN }: PlaneEnv): boolean {
  const given = request.headers.get("x-waggle-token") ?? "";
  return sameText(given, OPERATOR_TOKEN) || sameText(given, VIEWER_TOKEN);
}
