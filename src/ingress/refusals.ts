// Refusals: status and reason, one sentence, of a request that gets no response from a target.

import { localControlHostPattern } from "../domain/model/control-host.ts";
import type { DownServer } from "../domain/table/table.ts";
import type { Failure } from "../proxy/http/failure.ts";
import { hostName, isHost, unreadableHost } from "../proxy/http/host.ts";
import { type BodyWatch, bodyWatch } from "../proxy/limits.ts";
import { maxWaiters } from "../proxy/resilience/request-queue.ts";
import type { EntryNode, Route, RouteMatch, Routes } from "../proxy/routing/routes.ts";
import type { Target, TargetPool } from "../proxy/routing/target-pool.ts";
import type { BodyFault } from "./client-body.ts";
import type { Forwarding, ForwardResult } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/** The refusal of a request whose Host is malformed or the control API's own, or that has no path. */
export function malformedFailure({ host, method }: ProxyRequest): Failure {
  if (localControlHostPattern.test(host)) {
    return {
      status: 421,
      reason: `no service is reached at ${hostName(host)}, the host name of the mesh's control API; use the address of the published port or another name`,
    };
  }
  return isHost(host)
    ? { status: 400, reason: `${method} * has no path to route by; request a path` }
    : { status: 400, reason: unreadableHost };
}

/** The parts of a request that an entry point's refusals depend on. */
export type RefusedRequest = {
  readonly port: number | null;
  readonly host: string;
  /** The node it came in at; null at the edge. */
  readonly entryNode: string | null;
};

/**
 * The refusal of a request for which the table has no route or no node.
 *
 * @param match null if no service matches
 */
export function noRouteFailure(request: RefusedRequest, routes: Routes, match: RouteMatch | null): Failure {
  const { entryNode } = request;
  if (entryNode !== null && routes.node(entryNode) === undefined) {
    return { status: 404, reason: `this mesh has no node ${entryNode}` };
  }
  if (routes.nodeIds.length === 0) {
    const { name, downServers = [] } = match?.routes[0].service ?? { name: "" };
    if (downServers.length > 0) return { status: 503, reason: noServerReason(name, downServers) };
    const noServer = match === null ? "" : `, and ${name} has no server that is up`;
    return { status: 503, reason: `no node has joined this mesh yet${noServer}` };
  }
  if (match === null) return notPublishedFailure(request, routes);
  const [route] = match.routes;
  const hasNode = route.mode !== "host" || match.routes.some((sharing) => [...sharing.nodeIds()].length > 0);
  if (hasNode) {
    return { status: 503, reason: "every node that could serve this request is in drain or maint" };
  }
  const node = routes.node(routes.nodeIds[0] ?? "") ?? "direct";
  return noTargetFailure(route, node, route.pool(node));
}

function notPublishedFailure({ port, host }: RefusedRequest, routes: Routes): Failure {
  const tcp = port === null ? null : routes.matchTcp(port);
  if (tcp !== null) {
    const { name } = tcp.routes[0].service;
    return { status: 404, reason: `port ${port} is of ${name} in mode tcp, which gets no HTTP requests` };
  }
  const what = port === null ? `has the host name ${hostName(host)}` : `is published on port ${port}`;
  return { status: 404, reason: `no service ${what}` };
}

/** The refusal of a request for a service without an available target at this node. */
export function noTargetFailure({ service, mode }: Route, node: EntryNode, { all }: TargetPool): Failure {
  const nodeName = node === "direct" ? "the edge" : node.name;
  const where = mode === "host" ? ` on ${nodeName}, and its port is published in host mode` : "";
  if (all.length === 0) {
    const { downServers = [] } = service;
    if (downServers.length > 0) return { status: 503, reason: noServerReason(service.name, downServers) };
    return { status: 503, reason: `service ${service.name} has no live task${where}` };
  }
  const kind = kindOf(all);
  const which = all.length === 1 ? `the one ${kind}` : `each of the ${all.length} ${kind}s`;
  return { status: 503, reason: `${which} of ${service.name}${where} is in drain or has weight 0` };
}

/** Servers named in a refusal; the rest are counted. */
const maxNamedServers = 3;

function noServerReason(service: string, servers: readonly DownServer[]): string {
  const named = servers.slice(0, maxNamedServers).map(({ name, why }) => `${name} is ${why}`);
  const moreCount = servers.length - named.length;
  if (moreCount > 0) named.push(`and ${moreCount} more`);
  return `service ${service} has no server that is up (${named.join(", ")})`;
}

/** What the targets of a service are called. */
function kindOf(targets: readonly Target[]): "server" | "task" {
  return targets.length > 0 && targets.every(({ server }) => server !== null) ? "server" : "task";
}

/** The refusal of a request whose client did not send its body. */
export function bodyFailure(fault: BodyFault, { stallMs }: BodyWatch): Failure {
  return fault === "body-broken"
    ? { status: 400, reason: "the request body ended early" }
    : { status: 408, reason: `no byte of the request body came for ${stallMs / 1_000} s` };
}

/** The refusal of a request that was routed to targets and got no response. */
export function forwardFailure(
  { incoming, route, pool, upstream, policy, state }: Forwarding,
  result: Exclude<ForwardResult, Response>,
): Failure {
  const { method, plane } = incoming;
  const { target, attempts } = state;
  const { name } = route.service;
  const { queue, queueTimeoutMs } = pool.rules;
  const kind = kindOf(pool.all);
  switch (result) {
    case "failed":
      return allFailed(kind, name, method, attempts, upstream.isRepeatable);
    case "undelivered": {
      const tried = attempts === 1 ? `the one tried ${kind}` : `each of the ${attempts} tried ${kind}s`;
      return { status: 503, reason: `${tried} of ${name} could not be reached` };
    }
    case "body-broken":
    case "body-stalled":
      return bodyFailure(result, bodyWatch(plane, route.service.options ?? {}));
    case "over-budget":
      return { status: 502, reason: `${kind}s of ${name} fail, and the retry budget is used up` };
    case "queue-full":
      return {
        status: 503,
        reason: `every ${kind} of ${name} is at its maximum of open requests, and the queue of ${Math.min(queue, maxWaiters)} is full`,
      };
    case "queue-timeout":
      return {
        status: 503,
        reason: `every ${kind} of ${name} was at its maximum of open requests for ${queueTimeoutMs / 1000} s`,
      };
    case "timeout":
      return { status: 504, reason: `the ${kind} did not respond within ${policy.headTimeoutMs / 1000} s` };
    case "frozen": {
      const targetName = target?.server ?? `${name}.${target?.slot}`;
      const reason = `${targetName} has not responded to any request for a while; a ${method} is not retried`;
      return { status: 504, reason };
    }
  }
}

function allFailed(
  kind: "server" | "task",
  name: string,
  method: string,
  attempts: number,
  isRepeatable: boolean,
): Failure {
  if (attempts === 0) {
    const reason = `the ${kind} that this client's cookie names failed a moment ago; ${name} has no other`;
    return { status: 503, reason };
  }
  // The runtime does not distinguish the two. With a marker, an intermediary's response counts as well.
  const failure = "could not be reached or closed the connection before it responded";
  if (!isRepeatable) {
    return { status: 502, reason: `a ${kind} of ${name} ${failure}, and a ${method} is not retried` };
  }
  const tasks = attempts === 1 ? `the one tried ${kind}` : `each of the ${attempts} tried ${kind}s`;
  return { status: 502, reason: `${tasks} of ${name} ${failure}` };
}
