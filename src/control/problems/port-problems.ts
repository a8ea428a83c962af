// Published ports that no socket serves, once for each port and reason.

import { isBalancer, isNodeReady, type MeshNode } from "../../domain/model/node.ts";
import type { ClosedPort } from "../../domain/model/node-listeners.ts";
import { hostPort } from "../../domain/model/server.ts";
import type { StatusProblem } from "../../protocol/status.ts";
import type { ServiceView } from "../../registry/api.ts";
import { listText } from "./words.ts";

/** Places named in one problem; the others are counted. */
const maxNamedPlaces = 4;

/** A published port at one place where it should be open. */
type ClosedPlace = {
  readonly port: number;
  /** `127.0.0.1:8080 of balancer`, `8080 of node1`. */
  readonly place: string;
  readonly owner: string;
  readonly why: string;
  readonly sinceMs: number;
  readonly next: string;
};

/**
 * Ports that should be open and are not.
 *
 * @param local of this machine, where the mesh opens the ports of all its nodes and of the balancer
 */
export function closedPorts(
  services: readonly ServiceView[],
  nodes: readonly MeshNode[],
  local: readonly ClosedPort[],
): StatusProblem[] {
  const places: ClosedPlace[] = [
    ...local.map(({ owner, address, port, why, sinceMs }) => ({
      port,
      place: `${hostPort(address, port)} of ${owner}`,
      owner,
      why,
      sinceMs,
      next: "Stop the process that listens there, or publish another port.",
    })),
    ...nodes.filter(isNodeReady).flatMap(({ hostname, listeners }) =>
      (listeners?.closed ?? []).map(({ port, why, sinceMs }) => ({
        port,
        place: `${port} of ${hostname}`,
        owner: hostname,
        why,
        sinceMs,
        next: "Remove the reason on that machine, or publish another port.",
      })),
    ),
  ];
  const groups = Map.groupBy(places, ({ port, why }) => `${port} ${why}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { port, place, why, next } = first;
    const service = services.find(({ ports }) => ports.some(({ published }) => published === port));
    const owners = listText(
      group.map(({ owner }) => owner),
      maxNamedPlaces,
    );
    return [
      {
        what: `port ${group.length === 1 ? place : port}`,
        why: group.length === 1 ? `not open: ${why}` : `not open at ${owners}: ${why}`,
        next,
        sinceMs: Math.min(...group.map(({ sinceMs }) => sinceMs)),
        ...(service !== undefined && { service: service.spec.name }),
        ...(isClosedToClients(port, places, nodes)
          ? ({ severity: "bad", headline: `Port ${port} is not open` } as const)
          : ({ severity: "warn" } as const)),
      },
    ];
  });
}

/** True if the balancer does not have it, or no machine that opens published ports. */
function isClosedToClients(
  port: number,
  places: readonly ClosedPlace[],
  nodes: readonly MeshNode[],
): boolean {
  const closedAt = new Set(places.flatMap((place) => (place.port === port ? place.owner : [])));
  if (closedAt.has("balancer")) return true;
  const machines = nodes.filter((node) => node.listeners !== undefined && isNodeReady(node));
  return machines.length > 0 && machines.every(({ hostname }) => closedAt.has(hostname));
}

/**
 * Services in mode tcp whose ports nothing opens: a Worker on Cloudflare has no port for them.
 *
 * @param nodes nodes and balancers
 */
export function unservedTcpPorts(
  services: readonly ServiceView[],
  nodes: readonly MeshNode[],
  isOnCloudflare: boolean,
): StatusProblem[] {
  if (!isOnCloudflare || nodes.some((node) => node.listeners !== undefined || isBalancer(node))) return [];
  return services.flatMap(({ spec: { name, labels }, ports, updatedAtMs }) => {
    if (labels["waggle.mode"] !== "tcp" || ports.length === 0) return [];
    const published = listText(
      ports.map((port) => String(port.published)),
      maxNamedPlaces,
    );
    return [
      {
        what: `service ${name}`,
        why: `no socket serves its port ${published}: it is in mode tcp, for which a Worker on Cloudflare has no port`,
        next: "Run `waggle edge` on a machine of your own, or `waggle agent --ingress` on a node.",
        sinceMs: updatedAtMs,
        service: name,
        severity: "bad" as const,
        headline: `Port ${published} of ${name} is not open`,
      },
    ];
  });
}
