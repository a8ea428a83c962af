// Refusals: why a request gets no response from a target, in one sentence for its client.

import type { Failure } from "../proxy/http/failure.ts";
import { hostName, isHost } from "../proxy/http/host.ts";
import type { EntryNode, Route, RouteMatch, Routes } from "../proxy/routing/routes.ts";
import type { TargetPool } from "../proxy/routing/target-pool.ts";
import type { ForwardResult, ForwardState } from "./forward.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/** The refusal of a request that nothing in the mesh could answer: its Host is malformed, or it has no path. */
export function malformedFailure({ host, method }: ProxyRequest): Failure {
  return isHost(host)
    ? { status: 400, reason: `${method} * is for one server; ask for a path` }
    : { status: 400, reason: "the Host header cannot be read as a host name and a port" };
}

/** A request, as far as the refusals of an entry point depend on it. */
export type RefusedRequest = {
  readonly port: number | null;
  readonly host: string;
  /** The node it came in at; null at the edge. */
  readonly entryNode: string | null;
};

/**
 * The refusal of a request for which the table has no route, or no node to serve it.
 *
 * @param match null where nothing is published
 */
export function noRouteFailure(request: RefusedRequest, routes: Routes, match: RouteMatch | null): Failure {
  const { entryNode } = request;
  if (entryNode !== null && routes.node(entryNode) === undefined) {
    return { status: 404, reason: `this mesh has no node ${entryNode}` };
  }
  if (routes.nodeIds.length === 0) {
    const noServer = match === null ? "" : `, and ${match.routes[0].service.name} has no server that is up`;
    return { status: 503, reason: `no node has joined this mesh yet${noServer}` };
  }
  if (match === null) return notPublishedFailure(request);
  const [route] = match.routes;
  const hasNode = route.mode !== "host" || match.routes.some((sharing) => [...sharing.nodeIds()].length > 0);
  if (hasNode) {
    return { status: 503, reason: "every node that could answer is in drain or maint at the balancer" };
  }
  const node = routes.node(routes.nodeIds[0] ?? "") ?? "direct";
  return noTargetFailure(route, node, route.pool(node));
}

function notPublishedFailure({ port, host }: RefusedRequest): Failure {
  const what = port === null ? `answers to the host name ${hostName(host)}` : `is published on port ${port}`;
  return { status: 404, reason: `no service ${what}` };
}

/** The refusal of a request for a service that has no target for this node. */
export function noTargetFailure({ service, mode }: Route, node: EntryNode, { all }: TargetPool): Failure {
  const nodeName = node === "direct" ? "the edge" : node.name;
  const where = mode === "host" ? ` on ${nodeName}, and its port is published in host mode` : "";
  if (all.length === 0) {
    return { status: 503, reason: `service ${service.name} has no live task${where}` };
  }
  const kind = all.every(({ server }) => server !== null) ? "server" : "task";
  const which = all.length === 1 ? `the one ${kind}` : `each of the ${all.length} ${kind}s`;
  return { status: 503, reason: `${which} of ${service.name}${where} is in drain or has weight 0` };
}

/** Why a request that was to be sent to a target got no response. */
export function forwardFailure(
  { method, plane }: ProxyRequest,
  { choice, target, upstream, attempts }: ForwardState,
  result: Exclude<ForwardResult, Response>,
): Failure {
  const name = choice?.route.service.name ?? "";
  const { queue = 0, queueTimeoutMs = 0 } = choice?.pool.rules ?? {};
  switch (result) {
    case "failed":
      return allFailed(name, method, attempts, upstream?.isRepeatable ?? true);
    case "spent":
      return { status: 502, reason: `tasks of ${name} fail, and too many requests were sent twice already` };
    case "full":
      return {
        status: 503,
        reason: `every task of ${name} has all the open requests it may have here, and ${queue} more wait already`,
      };
    case "late":
      return {
        status: 503,
        reason: `every task of ${name} had all the open requests it may have here for ${queueTimeoutMs / 1000} s`,
      };
    case "slow":
      return { status: 504, reason: `the task did not answer within ${plane.headTimeoutMs / 1000} s` };
    case "silent": {
      const who = target?.server ?? `${name}.${target?.slot}`;
      const reason = `${who} has answered nothing at all for a while and seems frozen; a ${method} is not sent twice`;
      return { status: 504, reason };
    }
  }
}

function allFailed(name: string, method: string, attempts: number, isRepeatable: boolean): Failure {
  if (attempts === 0) {
    return { status: 503, reason: `the one task of ${name} that this client may have failed a moment ago` };
  }
  // The runtime does not tell the two apart; where the service has a marker, a response from the path counts too.
  const how = "could not be reached or broke the connection before it answered";
  if (!isRepeatable) {
    return { status: 502, reason: `a task of ${name} ${how}, and a ${method} is not sent twice` };
  }
  const tasks = attempts === 1 ? "the one task" : `each of ${attempts} tasks`;
  return { status: 502, reason: `${tasks} of ${name} that was asked ${how}` };
}
