// The life of a request in the data plane: match its route, pick a target, attempt, retry, deliver.
//
// The edge and every node's ingress serve requests in the same way; they differ in how they choose the entry
// node. Functions wait only where they must: each layer that awaits costs a request some of its time
// (docs/benchmarks.md).

import type { EntryPoint } from "../proxy/entry-point.ts";
import { type Failure, failureResponse } from "../proxy/http/failure.ts";
import { cleanResponse } from "../proxy/http/headers.ts";
import { isHost } from "../proxy/http/host.ts";
import type { PlaneContext } from "../proxy/plane.ts";
import { addServiceStats } from "../proxy/resilience/service-stats.ts";
import { chooseRoute, type RouteChoice } from "../proxy/routing/route-hints.ts";
import { type EntryNode, type RouteMatch, type Routes, routeAt } from "../proxy/routing/routes.ts";
import { setCookie } from "../proxy/routing/sticky.ts";
import type { Meter } from "../telemetry/meter.ts";
import { type CountedAt, countEnd, countWaited, countWaiting } from "./counting.ts";
import { setDebugHeaders } from "./debug.ts";
import { type Forwarding, type ForwardState, forward, maxAttempts, newForwardState } from "./forward.ts";
import { type ProxyRequest, receive } from "./proxy-request.ts";
import { forwardFailure, malformedFailure, noRouteFailure, noTargetFailure } from "./refusals.ts";
import { shouldBufferBody, type UpstreamRequest, upstreamRequest } from "./upstream-request.ts";

/** The routes that a request matches, and the node whose entry point serves it. */
export type EntryMatch = { readonly match: RouteMatch | null; readonly node: EntryNode | null };

/** Matches a request against one table. */
export type MatchEntry = (incoming: ProxyRequest, routes: Routes) => EntryMatch;

/** Serves a request that came in at the node `entry.node`. As `proxy`. */
export function ingress(request: Request, entry: EntryPoint, context: PlaneContext): Promise<Response> {
  return proxy(receive(request, entry, context), matchAtNode);
}

function matchAtNode(incoming: ProxyRequest, routes: Routes): EntryMatch {
  const match = routes.match(incoming);
  return { match, node: routes.node(incoming.entry.node ?? "") ?? null };
}

/**
 * Serves a request. Before it refuses one, it fetches a fresh table, so that a service created or moved a
 * moment ago is found.
 *
 * @returns a target's response, its body untouched and streaming, or a failure of the mesh's own; never
 *   rejects for what a client or a target does
 */
export async function proxy(incoming: ProxyRequest, matchEntry: MatchEntry): Promise<Response> {
  const { plane, waitUntil } = incoming;
  const state = newForwardState();
  if (!isHost(incoming.host) || incoming.path === "") {
    return deliver(incoming, state, malformedFailure(incoming), null);
  }
  const held = plane.tables.routes(waitUntil, incoming.receivedMs);
  let routes = held instanceof Promise ? await held : held;
  let result = await serve(incoming, state, routes, matchEntry);
  if (!(result instanceof Response) && canRetryWithFreshTable(state, result)) {
    const fresh = await plane.tables.fresh();
    if (fresh !== routes) {
      routes = fresh;
      result = moreSpecific(await serve(incoming, state, routes, matchEntry), result);
    }
  }
  if (plane.suspects.hasAny) reportSuspects(incoming);
  return deliver(incoming, state, result, routes);
}

/** True if a newer table may have a target for a request that can still be sent. */
function canRetryWithFreshTable(
  { attempts, upstream, isOverloaded }: ForwardState,
  { status }: Failure,
): boolean {
  const mayHelp = !isOverloaded && (status === 404 || status === 503 || status === 502);
  return mayHelp && (attempts === 0 || upstream?.isRepeatable === true);
}

/** The failure to report: a 502 of tried targets says more than a fresh table without further targets. */
function moreSpecific(result: Response | Failure, earlier: Failure): Response | Failure {
  return !(result instanceof Response) && earlier.status === 502 ? earlier : result;
}

/** Serves the request by one table: match and pick the node, then send it. */
function serve(
  incoming: ProxyRequest,
  state: ForwardState,
  routes: Routes | null,
  matchEntry: MatchEntry,
): Failure | Promise<Response | Failure> {
  if (routes === null) return { status: 503, reason: "the registry has not sent a routing table yet" };
  const { match, node } = matchEntry(incoming, routes);
  state.node = node;
  if (match === null || node === null) {
    return noRouteFailure({ ...incoming, entryNode: incoming.entry.node }, routes, match);
  }
  const route = match.routes.length === 1 ? match.routes[0] : routeAt(match, node);
  if (!route.usesRequest) return send(incoming, state, { route, pool: route.pool(node), hints: null }, node);
  const { request, entry, path, plane } = incoming;
  const draw = () => {
    state.draw ??= plane.random();
    return state.draw;
  };
  const choice = chooseRoute({ headers: request.headers, entry, path, plane, draw }, routes, route, node);
  return choice instanceof Promise
    ? choice.then((chosen) => send(incoming, state, chosen, node))
    : send(incoming, state, choice, node);
}

/** Sends the request to the chosen targets. */
function send(
  incoming: ProxyRequest,
  state: ForwardState,
  choice: RouteChoice,
  node: EntryNode,
): Failure | Promise<Response | Failure> {
  const { plane, head } = incoming;
  const { route, pool, hints } = choice;
  state.choice = choice;
  const via = route.via(plane.meshName);
  if (head.via !== null && hasPassed(head.via, via)) {
    return { status: 508, reason: `this request has already passed through ${route.service.name}` };
  }
  if (pool.ids.length === 0 && !hints?.stickyTarget) return noTargetFailure(route, node, pool);
  const hop = { via, stickyCookie: hints?.stickyCookie ?? null };
  if (state.upstream !== null) return attempt(incoming, state, choice, node, state.upstream);
  if (incoming.bodyBytes !== 0 && shouldBufferBody(incoming, plane)) {
    return withBufferedBody(incoming, (body) =>
      attempt(incoming, state, choice, node, upstreamRequest(incoming, hop, body)),
    );
  }
  return attempt(incoming, state, choice, node, upstreamRequest(incoming, hop, null));
}

function hasPassed(via: string, hop: string): boolean {
  return via.split(",").some((entry) => entry.trim() === hop);
}

/** Reads the body first, so that it can be sent more than once. */
async function withBufferedBody(
  { request, bodyBytes, plane }: ProxyRequest,
  use: (body: ArrayBuffer) => Promise<Response | Failure>,
): Promise<Response | Failure> {
  const { replayBuffer } = plane;
  const bytes = bodyBytes ?? 0;
  replayBuffer.bytes += bytes;
  try {
    const body = await request.arrayBuffer().catch(() => null);
    if (body === null) return { status: 400, reason: "the request body ended early" };
    return await use(body);
  } finally {
    replayBuffer.bytes -= bytes;
  }
}

/** Attempts and retries: one target after another, until one responds. */
async function attempt(
  incoming: ProxyRequest,
  state: ForwardState,
  choice: RouteChoice,
  node: EntryNode,
  upstream: UpstreamRequest,
): Promise<Response | Failure> {
  const { plane } = incoming;
  const { route, hints } = choice;
  const { service } = route;
  state.upstream = upstream;
  state.attemptsLeft = maxAttempts;
  const { meter } = plane;
  const entry = node === "direct" ? null : node;
  const countedAt: CountedAt | null = meter && { meter, service, entry: meter.entry(service, entry) };
  const forwarding: Forwarding = {
    ...choice,
    incoming,
    // A client with a sticky target must not lose it for one late response.
    upstream: hints?.stickyTarget ? { ...upstream, isHedgeable: false } : upstream,
    stats: plane.stats.get(service.id) ?? addServiceStats(plane.stats, service.id),
    cursor: route.cursorAt(node),
    countedAt,
    state,
  };
  const generation = countedAt === null ? 0 : countWaiting(countedAt);
  const result = await forward(forwarding);
  if (countedAt !== null) countWaited(countedAt, generation);
  if (typeof result !== "string") return result;
  state.isOverloaded = result === "queue-full" || result === "queue-timeout";
  return forwardFailure(incoming, state, result);
}

function reportSuspects({ plane, waitUntil }: ProxyRequest): void {
  const suspects = plane.suspects.due(plane.nowMs());
  if (suspects !== null) waitUntil(plane.suspect(suspects).catch(() => undefined));
}

/** Counts the request and builds the client's response. */
function deliver(
  incoming: ProxyRequest,
  state: ForwardState,
  result: Response | Failure,
  routes: Routes | null,
): Response | Promise<Response> {
  const { request, method, head, id, plane } = incoming;
  if (plane.meter !== null) count(plane.meter, incoming, state, result);
  if (!(result instanceof Response)) {
    const response = failureResponse(result, method, request.headers.get("accept"), id);
    return head.debug ? withDebugHeaders(response, incoming, state, routes) : response;
  }
  if (result.status === 101) return result;
  // The body is passed on unread: the runtime streams it without the isolate.
  const response = new Response(result.body, result);
  cleanResponse(response.headers, result.status);
  response.headers.set("x-request-id", id);
  if (state.choice?.hints?.stickyCookie) return withStickyCookie(response, incoming, state, routes);
  return head.debug ? withDebugHeaders(response, incoming, state, routes) : response;
}

function count(meter: Meter, incoming: ProxyRequest, state: ForwardState, result: Response | Failure): void {
  const { plane, method, bodyBytes, receivedMs, waitUntil } = incoming;
  const { choice, target } = state;
  const nowMs = plane.nowMs();
  const node = state.node === "direct" ? null : state.node;
  const end = { target, result, method, bytesIn: bodyBytes, elapsedMs: nowMs - receivedMs };
  countEnd(meter, choice?.route.service ?? null, node, end);
  plane.flusher?.schedule(nowMs, waitUntil);
}

/** Sets the cookie of the target that responded, unless the client has it already. */
async function withStickyCookie(
  response: Response,
  incoming: ProxyRequest,
  state: ForwardState,
  routes: Routes | null,
): Promise<Response> {
  const { plane, entry, head } = incoming;
  const { target, choice } = state;
  const { cookieKey } = plane.tables;
  const hints = choice?.hints;
  if (
    hints?.stickyCookie &&
    cookieKey !== null &&
    target !== null &&
    target.taskId !== hints.stickyTarget?.taskId
  ) {
    const value = await plane.sticky.of(cookieKey, choice?.route.service.id ?? "", target.taskId);
    response.headers.append("set-cookie", setCookie(hints.stickyCookie, value, entry.scheme));
    // Shared caches must not hand the cookie to other clients (HAProxy's `nocache`).
    if (!response.headers.has("cache-control")) response.headers.set("cache-control", "private");
  }
  return head.debug ? withDebugHeaders(response, incoming, state, routes) : response;
}

async function withDebugHeaders(
  response: Response,
  incoming: ProxyRequest,
  state: ForwardState,
  routes: Routes | null,
): Promise<Response> {
  if (await incoming.entry.mayDebug()) setDebugHeaders(response.headers, incoming, state, routes);
  return response;
}
