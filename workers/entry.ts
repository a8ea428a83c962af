// Entry points of the Workers: determines where a request came in, and passes it to the data plane.

import { equalsSecret, tokenProblem } from "../src/domain/model/mesh-token.ts";
import { edge } from "../src/edge/handle.ts";
import { ingress } from "../src/ingress/handle.ts";
import { type EntryFacts, EntrySeals, entryHeader } from "../src/proxy/entry-facts.ts";
import type { EntryPoint } from "../src/proxy/entry-point.ts";
import { type Failure, failureResponse } from "../src/proxy/http/failure.ts";
import { authorityOf, defaultPorts, hostName, portOfHost, schemeOf } from "../src/proxy/http/host.ts";
import type { RouterKeys } from "../src/proxy/routing/table-cache.ts";
import type { Delta } from "../src/telemetry/delta.ts";
import { peerOnCloudflare } from "./client-address.ts";
import { type PlaneEnv, planeAt, planeOf } from "./plane.ts";

/** Passes a request to the data plane: to the edge, or to a node's ingress. */
export function serve(
  request: Request,
  entry: EntryPoint,
  env: PlaneEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  try {
    const context = {
      plane: planeAt(request, env),
      waitUntil: (work: Promise<unknown>) => ctx.waitUntil(work),
    };
    const response = entry.role === "edge" ? edge(request, entry, context) : ingress(request, entry, context);
    return response.catch((error) => internalError(request, error));
  } catch (error) {
    return Promise.resolve(internalError(request, error));
  }
}

/** The response to an internal error, such as an invalid variable. */
function internalError(request: Request, error: unknown): Response {
  const id = crypto.randomUUID();
  console.error({ message: "the data plane failed", requestId: id, error: String(error) });
  return refuse(request, { status: 500, reason: "the mesh failed to handle this request" }, id);
}

/**
 * Serves a request on Cloudflare: at a node's ingress if the URL has the node's host name, else at the edge.
 * The port counts unless it is the scheme's default.
 *
 * @param node the node whose ingress this Worker is; null for any other Worker
 * @param serveAs serves the request; a Worker with the statistics page passes its own
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
  const urlPort = portOfHost(scheme, authorityOf(url));
  const port = urlPort === defaultPorts[scheme] ? null : urlPort;
  const client = peerOnCloudflare(request) ?? "unknown";
  return serveArrival(request, { url, node, port, client }, env, ctx, serveAs);
}

/** The connection of a request. If `node` is null, the host name may name one. */
type Arrival = Pick<EntryPoint, "node" | "port" | "client" | "joinsCookieLines"> & {
  /** `Request.url`, which builds the string again on each read. */
  readonly url: string;
};

/** Serves a request at the node it came in at or the node of its host name, else at the edge. */
export function serveArrival(
  request: Request,
  { url, node, port, client, ...cookies }: Arrival,
  env: PlaneEnv,
  ctx: ExecutionContext,
  serveAs: typeof serve = serve,
): Promise<Response> {
  const serveAt = (nodeId: string | null) => {
    const entry: EntryPoint = {
      role: nodeId === null ? "edge" : "ingress",
      node: nodeId,
      port,
      client,
      scheme: schemeOf(url),
      ...cookies,
      mayDebug: () => hasToken(request, env),
    };
    return serveAs(request, entry, env, ctx);
  };
  try {
    const nodeId = node ?? nodeOfHost(hostName(authorityOf(url)), env, ctx);
    return nodeId instanceof Promise ? nodeId.then(serveAt) : serveAt(nodeId);
  } catch (error) {
    return Promise.resolve(internalError(request, error));
  }
}

/**
 * The node of a host name: `NODE.nodes.DOMAIN`, `NODE-nodes.DOMAIN` or one of the node's own. Waits only before the
 * first table.
 */
function nodeOfHost(
  host: string,
  env: PlaneEnv,
  ctx: ExecutionContext,
): string | null | Promise<string | null> {
  const { tables, domain } = planeOf(env, host);
  const suffix = `.nodes.${domain}`;
  if (domain !== "" && host.endsWith(suffix)) return host.slice(0, -suffix.length);
  if (tables.held !== null) return tables.held.nodeOfHost(host)?.id ?? null;
  return tables.first((work) => ctx.waitUntil(work)).then((first) => first?.nodeOfHost(host)?.id ?? null);
}

/** This isolate's verifier of entry headers, by key. */
let entrySeals: { readonly key: string; readonly seals: EntrySeals } | undefined;

/**
 * The entry facts of a request in a mesh on one machine, which its listener has sealed; null without a valid
 * seal.
 */
export function sealedFacts(
  request: Request,
  { ENTRY_KEY }: PlaneEnv,
): EntryFacts | null | Promise<EntryFacts | null> {
  const header = request.headers.get(entryHeader);
  if (header === null || !ENTRY_KEY) return null;
  if (entrySeals?.key !== ENTRY_KEY) entrySeals = { key: ENTRY_KEY, seals: new EntrySeals(ENTRY_KEY) };
  return entrySeals.seals.open(header);
}

/** Serves a request of a listener at the entry point that the listener states; refuses all others. */
export function serveListener(
  request: Request,
  env: PlaneEnv,
  ctx: ExecutionContext,
  serveAs: typeof serve = serve,
): Promise<Response> {
  const serveAt = (facts: EntryFacts | null): Response | Promise<Response> => {
    if (facts?.role === "table")
      return request.method === "PUT" ? takeTable(request, env) : takeReport(request, env);
    if (facts === null || facts.role === "control") return notAListener(request);
    const { role, node, port, client, scheme } = facts;
    const entry: EntryPoint = { role, node, port, client, scheme, mayDebug: () => hasToken(request, env) };
    return serveAs(request, entry, env, ctx);
  };
  const facts = sealedFacts(request, env);
  if (facts instanceof Promise) return facts.then(serveAt);
  return Promise.resolve(serveAt(facts));
}

/** Takes the routing table and the keys of the process of the listeners. @returns the keys of this isolate */
async function takeTable(request: Request, env: PlaneEnv): Promise<Response> {
  const { tables } = planeOf(env);
  const { text, keys } = (await request.json()) as { readonly text: string; readonly keys: RouterKeys };
  tables.offer(text, keys);
  if (!tables.hasKeys) await tables.fresh();
  return Response.json(tables.keys, { status: tables.hasKeys ? 200 : 202 });
}

/** Passes on a report of the process of the listeners, which routes the connections of mode tcp. */
async function takeReport(request: Request, env: PlaneEnv): Promise<Response> {
  const { flush, reportSuspects } = planeOf(env);
  if (new URL(request.url).pathname === "/suspects") {
    const { taskIds } = await request.json<{ readonly taskIds: readonly string[] }>();
    await reportSuspects(taskIds);
  } else await flush?.(await request.json<Delta>());
  return new Response(null, { status: 204 });
}

/** The refusal of a client on the listeners' socket that is not a listener. */
export function notAListener(request: Request): Response {
  const reason = "this socket accepts requests of the mesh's own listeners only; use a published port";
  return refuse(request, { status: 403, reason }, crypto.randomUUID());
}

function refuse(request: Request, failure: Failure, requestId: string): Response {
  return failureResponse(failure, request.method, request.headers.get("accept"), requestId);
}

/** True if x-waggle-token is a token of the mesh. Authorization belongs to the task. */
function hasToken(request: Request, { OPERATOR_TOKEN, VIEWER_TOKEN }: PlaneEnv): boolean {
  // A self-hosted workerd binds an unset environment variable as null.
  if (tokenProblem({ operatorToken: OPERATOR_TOKEN ?? "", viewerToken: VIEWER_TOKEN ?? "" }) !== null)
    return false;
  const token = request.headers.get("x-waggle-token") ?? "";
  return equalsSecret(token, OPERATOR_TOKEN) || equalsSecret(token, VIEWER_TOKEN);
}
