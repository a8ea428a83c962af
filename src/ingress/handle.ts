// The life of a request at one node's entry point: which service, which of its tasks, and on to the next task when one
// cannot be reached.

import type { TableNode } from "../domain/table/table.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import { type Failure, failureResponse } from "../proxy/http/failure.ts";
import { hostName } from "../proxy/http/host.ts";
import type { PlaneContext } from "../proxy/plane.ts";
import { type ChosenRoute, chooseRoute, needsNoHints } from "../proxy/routing/route-hints.ts";
import type { Route, Routes } from "../proxy/routing/routes.ts";
import { setCookie } from "../proxy/routing/sticky.ts";
import type { TargetPool } from "../proxy/routing/target-pool.ts";
import { type Forwarding, maxAttempts } from "./attempt.ts";
import { type CountedAt, countEnd, countWaited, countWaiting } from "./counting.ts";
import { setDebug } from "./debug.ts";
import { deliver } from "./deliver.ts";
import { begin, type Exchange } from "./exchange.ts";
import { type ForwardResult, forward } from "./forward.ts";
import { holdsBody, type Outgoing, prepare } from "./outgoing.ts";
import { noNode, noTask, shapeFailure, unanswered, unknown } from "./refusals.ts";

/** What a request comes to: a task's response, or why there is none. */
type IngressResult = Response | Failure;

/**
 * Answers a request that came in at the node `entry.node`.
 *
 * When the mesh would have to refuse it and its table is not fresh, it looks at a fresh one first, so that a service
 * that was created or moved a moment ago is not answered from the past.
 *
 * @returns the task's response, streaming and with its body untouched, or a failure of the mesh's own; never rejects
 *   for what a client or a task does
 */
export async function ingress(request: Request, entry: EntryPoint, context: PlaneContext): Promise<Response> {
  const { plane } = context;
  const exchange = begin(request, entry, context);
  const shape = shapeFailure(exchange);
  if (shape !== null) return finish(exchange, shape, null);
  const found = plane.tables.routes(context.waitUntil);
  let routes = found instanceof Promise ? await found : found;
  let result = resultOf(exchange, await serve(exchange, routes));
  if (!(result instanceof Response) && mayRefresh(exchange, result)) {
    const fresh = await plane.tables.fresh();
    if (fresh !== routes) {
      routes = fresh;
      result = orEarlier(resultOf(exchange, await serve(exchange, routes)), result);
    }
  }
  const suspects = plane.suspects.due(plane.nowMs());
  if (suspects !== null) context.waitUntil(plane.suspect(suspects).catch(() => undefined));
  return finish(exchange, result, routes);
}

/** A fresher table may help where this one has nothing to send to, and a request can be sent again. */
function mayRefresh({ asking, outgoing, turnedAway }: Exchange, { status }: Failure): boolean {
  const mayHelp = !turnedAway && (status === 404 || status === 503 || status === 502);
  return mayHelp && (asking === null || asking.attempts === 0 || outgoing?.repeatable === true);
}

/** A fresh table that has no further task to try says less than the failure of those that were tried. */
function orEarlier(result: IngressResult, earlier: Failure): IngressResult {
  return !(result instanceof Response) && earlier.status === 502 ? earlier : result;
}

/** Waits only where it must: layers that await were part of what the mesh cost a request (docs/benchmarks.md). */
function serve(exchange: Exchange, routes: Routes | null): Failure | Promise<ForwardResult | Failure> {
  const { entry, plane } = exchange;
  if (routes === null) return { status: 503, reason: "the registry has not given a routing table yet" };
  const matched = routes.match(entry.port, exchange.host, plane.domain, exchange.request);
  const node = entry.node === null && needsNoNode(matched) ? noNodeAtAll : routes.node(entry.node ?? "");
  if (node === undefined) return noNode(entry, routes, matched);
  exchange.node = node;
  if (matched === null) return unknown(entry, hostName(exchange.host));
  const first = routeOn(matched, node.id);
  if (needsNoHints(first)) return serveAt(exchange, first, node);
  const way = chooseRoute(exchange, routes, first, node.id);
  return way instanceof Promise
    ? way.then((known) => serveAt(exchange, known, node))
    : serveAt(exchange, way, node);
}

/** Serves a request that is for one service. */
function serveAt(
  exchange: Exchange,
  { route, ring, wish }: ChosenRoute,
  node: Pick<TableNode, "id" | "name">,
): Failure | Promise<ForwardResult | Failure> {
  const { plane, head } = exchange;
  exchange.route = route;
  exchange.wish = wish;
  const via = route.via(plane.meshName);
  if (head.via !== null && passed(head.via, via)) {
    return { status: 508, reason: `this request has come through ${route.service.name} before` };
  }
  if (ring.ids.length === 0 && (wish === null || wish.kept === null)) return noTask(route, node.name, ring);
  const round = route.cursorAt(node.id);
  if (exchange.outgoing === null) {
    if (holdsBody(exchange.request, head, plane)) return holdAndSend(exchange, route, ring, round, via);
    exchange.outgoing = outgoingOf(exchange, via, null);
  }
  return send(exchange, exchange.outgoing, route, ring, round);
}

/** Reads the body first, so that it can be sent more than once. */
async function holdAndSend(
  exchange: Exchange,
  route: Route,
  ring: TargetPool,
  round: string,
  via: string,
): Promise<ForwardResult | Failure> {
  const { replayBuffer } = exchange.plane;
  const bytes = exchange.head.bodyBytes ?? 0;
  replayBuffer.bytes += bytes;
  try {
    const body = await exchange.request.arrayBuffer().catch(() => null);
    if (body === null) return { status: 400, reason: "the request's body broke off" };
    exchange.outgoing = outgoingOf(exchange, via, body);
    return await send(exchange, exchange.outgoing, route, ring, round);
  } finally {
    replayBuffer.bytes -= bytes;
  }
}

function outgoingOf(exchange: Exchange, via: string, held: ArrayBuffer | null): Outgoing {
  const { request, head, path, entry, host, requestId, plane, wish } = exchange;
  const cookie = wish?.sticky ?? null;
  return prepare(request, head, path, { entry, host, requestId, via, trusts: plane.trusts, cookie }, held);
}

/** Whose turn it is where the balancer sends to servers itself. */
export const noNodeAtAll = { id: "", name: "the balancer" } as const;

/** Whether the balancer may send by itself: a service with static servers is there without any node. */
export function needsNoNode(matched: readonly Route[] | null): boolean {
  const first = matched?.[0];
  return first?.mode === "ingress" && first.service.servers !== undefined;
}

/** Of services that share a port in host mode, the one with a task on this node. */
export function routeOn(matched: readonly Route[], nodeId: string): ChosenRoute {
  const [first, ...others] = matched as readonly [Route, ...Route[]];
  const ring = first.pool(nodeId);
  if (ring.ids.length > 0 || others.length === 0) return { route: first, ring, wish: null };
  const other = others.find((route) => route.pool(nodeId).ids.length > 0);
  if (other === undefined) return { route: first, ring, wish: null };
  return { route: other, ring: other.pool(nodeId), wish: null };
}

function passed(via: string, mark: string): boolean {
  return via.split(",").some((hop) => hop.trim() === mark);
}

function send(
  exchange: Exchange,
  outgoing: Outgoing,
  route: Route,
  ring: TargetPool,
  round: string,
): Promise<ForwardResult> {
  const { plane, wish, asking: before } = exchange;
  const counted = countedOf(exchange, route);
  const asking: Forwarding = {
    plane,
    serviceId: route.service.id,
    wish,
    traffic: plane.traffic.of(route.service.id),
    // A client that stays with a task is not to be taken from it for being answered later than usual.
    outgoing: wish === null || wish.kept === null ? outgoing : { ...outgoing, hedgeable: false },
    ring,
    marker: route.service.options?.marker,
    round,
    tried: before?.tried ?? null,
    attempts: before?.attempts ?? 0,
    left: maxAttempts,
    trace: exchange.trace,
    target: before?.target ?? null,
    waitedMs: before?.waitedMs ?? 0,
    counted,
    waitUntil: exchange.waitUntil,
  };
  exchange.asking = asking;
  if (counted !== null) exchange.turn = countWaiting(counted);
  const asked = forward(asking);
  return wish === null || wish.sticky === null ? asked : keeping(exchange, asked, asking, wish.sticky);
}

/** Gives the client the cookie of the task that answers, unless it has it. */
async function keeping(
  exchange: Exchange,
  asked: Promise<ForwardResult>,
  asking: Forwarding,
  name: string,
): Promise<ForwardResult> {
  const answer = await asked;
  const { plane, wish, entry } = exchange;
  const { cookieKey } = plane.tables;
  const { target, serviceId } = asking;
  if (typeof answer === "string" || cookieKey === null || target === null) return answer;
  if (target.taskId === wish?.kept?.taskId) return answer;
  const value = await plane.sticky.of(cookieKey, serviceId, target.taskId);
  exchange.setCookie = setCookie(name, value, entry.scheme);
  return answer;
}

function resultOf(exchange: Exchange, asked: ForwardResult | Failure): IngressResult {
  const { asking, turn } = exchange;
  if (asking !== null && asking.counted !== null && turn >= 0) countWaited(asking.counted, turn);
  exchange.turn = -1;
  exchange.turnedAway = asked === "full" || asked === "late";
  return typeof asked === "string" ? unanswered(exchange, asked) : asked;
}

function countedOf({ plane: { meter }, node }: Exchange, { service }: Route): CountedAt | null {
  return meter === null || node === null ? null : { meter, service, node };
}

/** Counts a request that has ended, and has what was counted sent on. */
function countExchange(exchange: Exchange, result: IngressResult): void {
  const { plane, request, head, route, node, asking, cameMs, waitUntil } = exchange;
  if (plane.meter === null) return;
  const nowMs = plane.nowMs();
  countEnd(plane.meter, route?.service ?? null, node, {
    target: asking?.target ?? null,
    result,
    method: request.method,
    bytesIn: head.bodyBytes,
    tookMs: nowMs - cameMs,
  });
  plane.flusher?.schedule(nowMs, waitUntil);
}

function finish(
  exchange: Exchange,
  result: IngressResult,
  routes: Routes | null,
): Response | Promise<Response> {
  const { request, head, requestId } = exchange;
  countExchange(exchange, result);
  const response =
    result instanceof Response
      ? deliver(result, requestId, exchange.setCookie)
      : failureResponse(result, request.method, request.headers.get("accept"), requestId);
  return head.debug && response.status !== 101 ? debugged(response, exchange, routes) : response;
}

async function debugged(response: Response, exchange: Exchange, routes: Routes | null): Promise<Response> {
  if (await exchange.entry.mayDebug()) setDebug(response.headers, exchange, routes);
  return response;
}
