// The life of a request in the data plane: match its route, pick a target, attempt, retry, deliver.
//
// The edge and every node's ingress share it; they differ in how they choose the node. A step is async only if
// it waits for something: each further promise costs a request some of its time (docs/benchmarks.md).

import { localControlHostPattern } from "../domain/model/control-host.ts";
import { type Failure, failureResponse } from "../proxy/http/failure.ts";
import { cleanResponse } from "../proxy/http/headers.ts";
import { isHost } from "../proxy/http/host.ts";
import { readLoopMarks } from "../proxy/http/loop-marks.ts";
import { methodsWithoutBody } from "../proxy/http/methods.ts";
import { attemptPolicy, bodyWatch } from "../proxy/limits.ts";
import type { OpenRequest } from "../proxy/resilience/open-requests.ts";
import { addServiceStats } from "../proxy/resilience/service-stats.ts";
import { chooseRoute, type RouteChoice } from "../proxy/routing/route-hints.ts";
import { type EntryNode, type RouteMatch, type Routes, routeAt } from "../proxy/routing/routes.ts";
import { disconnectedAfterMs, reconnectWaitMs, trustedForMs } from "../proxy/routing/table-cache.ts";
import { renewMs } from "../telemetry/meter.ts";
import { showAskedAddress } from "./asked-address.ts";
import { type Attempt, isUndelivered, type Outcome, settle, startAttempt, within } from "./attempt.ts";
import { ClientBody } from "./client-body.ts";
import { countedResponseBody, countRequestBody } from "./counted-body.ts";
import { type CountedAt, countRequest, countWaited, countWaiting, renewWaits } from "./counting.ts";
import { sentOnceBody, withoutEmptyBody } from "./empty-body.ts";
import { withExtraHeaders } from "./extra-headers.ts";
import {
  type Forwarding,
  type ForwardResult,
  type ForwardState,
  forgetMovedTargets,
  newForwardState,
  nextTarget,
} from "./forwarding.ts";
import { attemptPollMs, awaitSlow } from "./hedge.ts";
import { dropSessionSetCookies, upgradeWithoutSessionCookies } from "./own-credentials.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import { mustQueue, waitInQueue } from "./queue.ts";
import { forwardFailure, malformedFailure, noRouteFailure, noTargetFailure } from "./refusals.ts";
import { shouldBufferBody, withBufferedBody } from "./replay-buffer.ts";
import { targetFailure } from "./target-failure.ts";
import { type HopHeaders, type UpstreamRequest, upstreamRequest } from "./upstream-request.ts";

/** Attempts by one table that gateways may leave undelivered before the request is refused. */
const maxUndelivered = 8;

/** The routes that a request matches, and the node whose entry point serves it. */
export type EntryMatch = { readonly match: RouteMatch | null; readonly node: EntryNode | null };

/** Matches a request against one table. */
export type MatchEntry = (incoming: ProxyRequest, routes: Routes) => EntryMatch;

/**
 * Serves a request by the table held, however old: gateways correct a stale choice. Before it refuses one, it
 * fetches a fresh table, so that a service created or moved a moment ago is found.
 *
 * @returns a target's response, its body untouched and streaming, or a failure of the mesh's own; never
 *   rejects for what a client or a target does
 */
export async function proxy(incoming: ProxyRequest, matchEntry: MatchEntry): Promise<Response> {
  const { plane, waitUntil } = incoming;
  const state = newForwardState();
  if (!isHost(incoming.host) || incoming.path === "" || localControlHostPattern.test(incoming.host)) {
    return deliver(incoming, state, malformedFailure(incoming), null);
  }
  if (incoming.head.refusal !== null) return deliver(incoming, state, incoming.head.refusal, null);
  if (incoming.bodyBytes === null && methodsWithoutBody.has(incoming.method)) {
    const read = await withoutEmptyBody(incoming);
    return "status" in read ? deliver(incoming, state, read, null) : proxy(read, matchEntry);
  }
  let routes = plane.tables.held ?? (await plane.tables.first(waitUntil));
  let result = await sendByTable(incoming, state, routes, matchEntry);
  if (state.refresh === "wanted") {
    const recent = await plane.tables.fresh(reconnectWaitMs);
    startAgain(state, routes);
    routes = recent;
    result = await sendByTable(incoming, state, routes, matchEntry);
  }
  if (!(result instanceof Response) && canRetryWithFreshTable(state, result)) {
    const fresh = await plane.tables.fresh();
    if (fresh !== routes) {
      startAgain(state, routes);
      routes = fresh;
      result = moreSpecific(await sendByTable(incoming, state, routes, matchEntry), result);
    }
  }
  if (plane.suspects.hasAny) reportEjections(incoming);
  return deliver(incoming, state, result, routes);
}

/** The request goes on with a table that may be newer. @param before the table that it was tried with */
function startAgain(state: ForwardState, before: Routes | null): void {
  state.refresh = "done";
  state.triedBy = { targets: state.choice?.pool.all ?? [], signingKey: before?.signingKey ?? null };
}

/** True if a newer table may have a target for a request that can still be sent. */
function canRetryWithFreshTable(
  { attempts, undelivered, upstream, isOverloaded }: ForwardState,
  { status }: Failure,
): boolean {
  const mayHelp = !isOverloaded && (status === 404 || status === 503 || status === 502);
  return mayHelp && (attempts === undelivered || upstream?.isRepeatable === true);
}

/** The failure to report: a 502 of tried targets says more than a fresh table without further targets. */
function moreSpecific(result: Response | Failure, earlier: Failure): Response | Failure {
  return !(result instanceof Response) && earlier.status === 502 ? earlier : result;
}

/** Matches the request against one table, and sends it to a target of its route. */
function sendByTable(
  incoming: ProxyRequest,
  state: ForwardState,
  routes: Routes | null,
  matchEntry: MatchEntry,
): Failure | Promise<Response | Failure> {
  if (routes === null) return { status: 503, reason: incoming.plane.tables.missingReason };
  const { match, node } = matchEntry(incoming, routes);
  state.node = node;
  if (match === null || node === null) {
    const [route] = match?.routes ?? [];
    // The refusal counts for the service.
    if (route !== undefined) state.choice = { route, pool: route.pool("direct"), hints: null };
    const { port, host, entry } = incoming;
    return noRouteFailure({ port, host, entryNode: entry.node }, routes, match);
  }
  // Most matches have one route; the test saves them a call.
  const route = match.routes.length === 1 ? match.routes[0] : routeAt(match, node);
  if (!route.usesRequest) return send(incoming, state, { route, pool: route.pool(node), hints: null }, node);
  const choice = chooseRoute(hintSource(incoming, state), routes, route, node);
  return choice instanceof Promise
    ? choice.then((chosen) => send(incoming, state, chosen, node))
    : send(incoming, state, choice, node);
}

function hintSource({ request, entry, path, plane }: ProxyRequest, state: ForwardState) {
  const draw = () => {
    state.draw ??= plane.random();
    return state.draw;
  };
  return { headers: request.headers, entry, path, plane, draw };
}

/** The request is sent again by a newer table. */
const outdatedTable: Failure = { status: 503, reason: "the routing table is too old" };

/** Sends the request to a target of the chosen pool, unless it loops or the pool is empty. */
function send(
  incoming: ProxyRequest,
  state: ForwardState,
  choice: RouteChoice,
  node: EntryNode,
): Failure | Promise<Response | Failure> {
  const { plane, head } = incoming;
  const { route, pool, hints } = choice;
  state.choice = choice;
  const loopMark = route.loopMark(plane.meshName);
  if (head.loopMarks !== null && readLoopMarks(head.loopMarks).includes(loopMark)) {
    return { status: 508, reason: `this request has already passed through ${route.service.name}` };
  }
  if (pool.ids.length === 0 && !hints?.stickyTarget) return noTargetFailure(route, node, pool);
  if (pool.hasOrigins && state.refresh === "none") {
    // No gateway corrects a choice of these. A request that may not be repeated would be lost at a server that is
    // down, and any at one that was removed.
    const maxAgeMs = incoming.isIdempotent ? trustedForMs : disconnectedAfterMs;
    if (plane.tables.isOlderThan(maxAgeMs)) {
      state.refresh = "wanted";
      return outdatedTable;
    }
  }
  const { options } = route.service;
  const sendsVia = options?.via === true;
  const hop = { loopMark, sendsVia, stickyCookie: hints?.stickyCookie ?? null };
  if (state.upstream === null && incoming.bodyBytes !== 0) {
    return sendWithBody(incoming, state, choice, node, hop);
  }
  // With a second table the request is sent as it was with the first.
  const body = (options?.retries ?? plane.retries) > 0 ? null : sentOnceBody(incoming.method);
  const upstream = state.upstream ?? upstreamRequest(incoming, hop, body);
  return forwardTo(incoming, state, choice, node, upstream);
}

/** As `send`, with a body: buffered if it may be sent again and is small enough, else streaming. */
function sendWithBody(
  incoming: ProxyRequest,
  state: ForwardState,
  choice: RouteChoice,
  node: EntryNode,
  hop: HopHeaders,
): Promise<Response | Failure> {
  const { plane, request, method, bodyBytes } = incoming;
  const { options = {} } = choice.route.service;
  const watch = bodyWatch(plane, options);
  const source = methodsWithoutBody.has(method) ? null : request.body;
  if (shouldBufferBody(incoming, options.replayBytes ?? plane.replayBytes, plane, choice.pool)) {
    return withBufferedBody(incoming, watch, (body) =>
      forwardTo(incoming, state, choice, node, upstreamRequest(incoming, hop, body)),
    );
  }
  if (source !== null) {
    const pipe = plane.newBodyPipe(bodyBytes);
    state.clientBody = new ClientBody(source, bodyBytes, pipe, watch, plane.nowMs);
  }
  const upstream = upstreamRequest(incoming, hop, state.clientBody?.readable ?? null);
  if (state.clientBody?.signal) upstream.init.signal = state.clientBody.signal;
  return forwardTo(incoming, state, choice, node, upstream);
}

/** Forwards the request to the chosen pool. @returns a target's response, or the failure of all attempts */
function forwardTo(
  incoming: ProxyRequest,
  state: ForwardState,
  choice: RouteChoice,
  node: EntryNode,
  upstream: UpstreamRequest,
): Promise<Response | Failure> {
  const { plane } = incoming;
  const { serviceStats, meter } = plane;
  const { service } = choice.route;
  const countedNode = node === "direct" ? null : node;
  const countedAt: CountedAt | null = meter && { meter, service, entry: meter.entry(service, countedNode) };
  const { repeatable, sentOnce } = plane.policies;
  const policy =
    service.options === undefined
      ? upstream.isRepeatable
        ? repeatable
        : sentOnce
      : attemptPolicy(plane, service.options, upstream.isRepeatable);
  state.upstream = upstream;
  // A request that no target got has had no attempt.
  state.attemptsLeft = policy.retries + (state.attempts === state.undelivered ? 1 : 0);
  state.undeliveredLeft = maxUndelivered;
  if (state.triedBy !== null) forgetMovedTargets(state, choice.pool, plane.tables.held?.signingKey ?? null);
  const forwarding: Forwarding = {
    ...choice,
    incoming,
    // One late response must not send a client away from its sticky target.
    upstream: choice.hints?.stickyTarget ? { ...upstream, isHedgeable: false } : upstream,
    policy,
    stats: serviceStats.get(service.id) ?? addServiceStats(serviceStats, service.id),
    cursor: choice.route.cursorAt(node),
    countedAt,
    state,
  };
  return forward(forwarding).then((result) => {
    return typeof result === "string" ? forwardFailure(forwarding, result) : result;
  });
}

/** Picks, attempts and retries until a target responds, none is left, or the head timeout ends. */
export async function forward(forwarding: Forwarding): Promise<ForwardResult> {
  const { incoming, upstream, policy, stats, pool, countedAt, state } = forwarding;
  const { plane } = incoming;
  let nowMs = plane.nowMs();
  if (countedAt !== null) countWaiting(countedAt, state, nowMs);
  try {
    let endsMs = nowMs + policy.headTimeoutMs;
    stats.retries.recordRequest(nowMs);
    if (upstream.isHedgeable) stats.hedges.recordRequest(nowMs);
    let isDelivered = state.attempts > state.undelivered;
    while (state.attemptsLeft > 0) {
      // What was not delivered costs no task anything.
      if (isDelivered && !stats.retries.take(nowMs)) return "over-budget";
      // Pick.
      let target = nextTarget(forwarding);
      let open: OpenRequest | null = null;
      if (target === null && mustQueue(forwarding)) {
        const dequeued = await waitInQueue(forwarding);
        if (typeof dequeued === "string") return dequeued;
        ({ target, open } = dequeued);
        nowMs = plane.nowMs();
        endsMs = nowMs + policy.headTimeoutMs;
      }
      if (target === null) return isDelivered || state.attempts === 0 ? "failed" : "undelivered";
      // Attempt. An unwatched streaming body takes as long as the client does.
      const reason = state.attempts === 0 ? "first" : "retry";
      const attempt = startAttempt(forwarding, target, reason, nowMs, open);
      const canHedge = upstream.isHedgeable && policy.hedge && pool.ids.length > 1;
      const slowMs = Math.min(endsMs - nowMs, canHedge ? stats.latency.hedgeAfterMs : attemptPollMs);
      const isLimited =
        Math.min(policy.headTimeoutMs, policy.frozenMs) < Number.POSITIVE_INFINITY &&
        (!upstream.streams || state.clientBody !== null);
      const outcome = await (isLimited
        ? within(attempt.outcome, slowMs)
        : unlimitedOutcome(forwarding, attempt));
      const result =
        outcome === "timeout"
          ? await awaitSlow(forwarding, attempt, endsMs)
          : settle(forwarding, attempt, outcome);
      if (typeof result !== "string") return result;
      // Retry with the next target, if no task got the request or it may be sent twice.
      if (isUndelivered(result)) {
        state.undelivered += 1;
        state.undeliveredLeft -= 1;
        if (state.undeliveredLeft > 0) state.attemptsLeft = Math.max(1, state.attemptsLeft);
      } else if (result !== "failed" || !upstream.isRepeatable) {
        return result;
      } else {
        isDelivered = true;
      }
      if (state.refresh === "none" && plane.tables.isOlderThan(trustedForMs)) {
        // The others are perhaps as stale.
        state.refresh = "wanted";
        break;
      }
      nowMs = plane.nowMs();
    }
    return isDelivered ? "failed" : "undelivered";
  } finally {
    if (countedAt !== null) countWaited(countedAt, state);
  }
}

/** The outcome of an attempt that may take any time. */
async function unlimitedOutcome(forwarding: Forwarding, attempt: Attempt): Promise<Outcome> {
  for (;;) {
    const outcome = await within(attempt.outcome, renewMs);
    if (outcome !== "timeout") return outcome;
    renewWaits(forwarding, [attempt], forwarding.incoming.plane.nowMs());
  }
}

function reportEjections({ plane, waitUntil }: ProxyRequest): void {
  const suspects = plane.suspects.due(plane.nowMs());
  if (suspects !== null) waitUntil(plane.reportSuspects(suspects).catch(() => undefined));
}

/** Counts the request and builds the client's response. */
function deliver(
  incoming: ProxyRequest,
  state: ForwardState,
  result: Response | Failure,
  routes: Routes | null,
): Response | Promise<Response> {
  const { request, method, head, id, plane, waitUntil } = incoming;
  const isResponse = result instanceof Response;
  // Spares most responses the call.
  const mayFail =
    isResponse && (result.status > 599 || result.status === 101 || result.headers.has("transfer-encoding"));
  const failure = mayFail ? targetFailure(incoming, state, result) : null;
  if (failure !== null) return deliver(incoming, state, failure, routes);
  const nowMs = plane.nowMs();
  const hasUncountedBody = plane.meter !== null && countRequest(plane.meter, incoming, state, result, nowMs);
  if (incoming.bodyBytes === null && plane.meter !== null) countRequestBody(incoming, state);
  plane.link.requestEnded(nowMs, waitUntil);
  if (isResponse && result.status === 101) return upgradeWithoutSessionCookies(result);
  // A target's body of known length is passed on unread: the runtime streams it without the isolate.
  const response = isResponse
    ? new Response(
        hasUncountedBody && result.body !== null
          ? countedResponseBody(result.body, incoming, state)
          : result.body,
        result.statusText.includes("\t") ? withoutTabs(result) : result,
      )
    : failureResponse(result, method, request.headers.get("accept"), id);
  if (isResponse) {
    const { headers } = response;
    const { setsCookies, namesAddress } = cleanResponse(headers, result.status);
    if (setsCookies) dropSessionSetCookies(headers);
    if (setsCookies || namesAddress) showAskedAddress(headers, incoming, state);
    headers.set("x-request-id", id);
  }
  const cookie = isResponse ? (state.choice?.hints?.stickyCookie ?? null) : null;
  if (cookie === null && !head.debug) return response;
  return withExtraHeaders(response, incoming, state, cookie, routes);
}

/** A reason phrase may have tabs (RFC 9112 §4), which the constructor of Response refuses. */
function withoutTabs({ status, statusText, headers }: Response): ResponseInit {
  const init = { status, statusText: statusText.replaceAll("\t", " "), headers };
  // As the body was fetched: see src/ingress/upstream-request.ts.
  return { ...init, encodeBody: "manual" } as ResponseInit;
}
