// Refusals: why a request is not sent to a task, or got no answer from one, in a sentence for whoever sent it.

import type { EntryPoint } from "../proxy/entry-point.ts";
import type { Failure } from "../proxy/http/failure.ts";
import { isHost } from "../proxy/http/host.ts";
import type { Route, Routes } from "../proxy/routing/routes.ts";
import type { TargetPool } from "../proxy/routing/target-pool.ts";
import type { Exchange } from "./exchange.ts";
import type { ForwardResult } from "./forward.ts";

/** What is wrong with a request whatever it asks for. */
export function shapeFailure({ host, path, request }: Exchange): Failure | null {
  if (!isHost(host))
    return { status: 400, reason: "the Host header cannot be read as a host name and a port" };
  if (path === "") return { status: 400, reason: `${request.method} * is for one server; ask for a path` };
  return null;
}

/** The refusal of a request that came in at a node the mesh does not have; or at a balancer that has none to pick. */
export function noNode(
  { node }: Pick<EntryPoint, "node">,
  { nodes }: Routes,
  matched: readonly Route[] | null,
): Failure {
  if (node === null && nodes.length > 0) {
    return { status: 503, reason: "every node that could answer is in drain or maint at the balancer" };
  }
  if (node === null) {
    const alone =
      matched?.[0] === undefined ? "" : `, and ${matched[0].service.name} has no server that is up`;
    return { status: 503, reason: `no node has joined this mesh yet${alone}` };
  }
  return { status: 404, reason: `this mesh has no node ${node}` };
}

/** The refusal of a request for which nothing is published. */
export function unknown({ port }: Pick<EntryPoint, "port">, host: string): Failure {
  return {
    status: 404,
    reason:
      port === null
        ? `no service answers to the host name ${host}`
        : `no service is published on port ${port}`,
  };
}

/** The refusal of a request for a service none of whose tasks this node may send to. */
export function noTask({ service, mode }: Route, nodeName: string, { all }: TargetPool): Failure {
  const where = mode === "host" ? ` on ${nodeName}, and its port is published in host mode` : "";
  if (all.length > 0) {
    const kind = all.every(({ server }) => server !== null) ? "server" : "task";
    const which = all.length === 1 ? `the one ${kind}` : `each of the ${all.length} ${kind}s`;
    return { status: 503, reason: `${which} of ${service.name}${where} is in drain or has weight 0` };
  }
  return { status: 503, reason: `service ${service.name} has no live task${where}` };
}

/** Why a request that was to be sent has no answer. */
export function unanswered(exchange: Exchange, asked: Exclude<ForwardResult, Response>): Failure {
  const { plane, request, route, asking } = exchange;
  const name = route?.service.name ?? "";
  const target = asking?.target;
  const { queue = 0, queueTimeoutMs = 0 } = asking?.ring.rules ?? {};
  switch (asked) {
    case "failed":
      return allFailed(exchange, name);
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
    case "silent":
      return {
        status: 504,
        reason: `${target?.server ?? `${name}.${target?.slot}`} has answered nothing at all for a while and seems frozen; a ${request.method} is not sent twice`,
      };
  }
}

function allFailed({ asking, outgoing, request }: Exchange, name: string): Failure {
  if (asking?.attempts === 0) {
    return { status: 503, reason: `the one task of ${name} that this client may have failed a moment ago` };
  }
  // The runtime tells neither from the other; an answer of the path's counts as well where the service has a marker.
  const how = "could not be reached or broke the connection before it answered";
  if (outgoing?.repeatable === false) {
    return { status: 502, reason: `a task of ${name} ${how}, and a ${request.method} is not sent twice` };
  }
  const tasks = asking?.attempts === 1 ? "the one task" : `each of ${asking?.attempts ?? 0} tasks`;
  return { status: 502, reason: `${tasks} of ${name} that was asked ${how}` };
}
