// The allocation of published ports to services.

import { invalidAs, MeshError } from "./error.ts";
import type { PortRequest, PublishedPort, Service } from "./service.ts";

const invalid = invalidAs("publish/invalid");

/** The range of dynamically allocated ports. Other ports are allocated only when requested by number. */
export const firstDynamicPort = 30_000;
export const lastDynamicPort = 32_767;

/**
 * Allocates the published ports of one service, in the order of its requests: the requested number, else the
 * port that the same target already has, else the lowest free one from 30000 to 32767. A `mode: "host"`
 * request without a number gets no port: the task is then reached only at its own port on its node.
 *
 * A port belongs to one service. Several services may share it only if all of them publish it in host mode,
 * because the scheduler never places two of them on one node.
 *
 * @param current the service's ports before this change; empty for a new service
 * @param others all other services
 * @throws MeshError `publish/invalid` with SwarmKit's text if a port is in use or requested twice,
 *   `publish/unavailable` if no port is free
 * @see docs/spec.md P1-P11
 */
export function allocatePorts(
  requests: readonly PortRequest[],
  current: readonly PublishedPort[],
  others: Iterable<Service>,
): readonly PublishedPort[] {
  const holders = portHolders(others);
  const requested = requestedPorts(requests);
  for (const request of requests) checkPortConflict(request, holders);
  const taken = new Set([...holders.keys(), ...requested]);
  const kept = keepCurrent(requests, current, taken);
  return requests.flatMap((request) => {
    const { target, mode } = request;
    if (mode === "host" && request.published === undefined) return [];
    const published = request.published ?? kept.get(request) ?? lowestFree(taken);
    taken.add(published);
    return [{ target, published, mode }];
  });
}

type PortHolder = { readonly service: Service; readonly mode: PublishedPort["mode"] };

/** The services that hold each port; more than one only in host mode. */
function portHolders(services: Iterable<Service>): ReadonlyMap<number, readonly PortHolder[]> {
  const holdersByPort = new Map<number, PortHolder[]>();
  for (const service of services) {
    for (const { published, mode } of service.ports) {
      const holders = holdersByPort.get(published);
      if (holders === undefined) holdersByPort.set(published, [{ service, mode }]);
      else holders.push({ service, mode });
    }
  }
  return holdersByPort;
}

/** The ports requested by number, each once. */
function requestedPorts(requests: readonly PortRequest[]): ReadonlySet<number> {
  const requested = requests.flatMap(({ published }) => published ?? []);
  const unique = new Set(requested);
  if (unique.size < requested.length) throw invalid("EndpointSpec: duplicate published ports provided");
  return unique;
}

function checkPortConflict(request: PortRequest, holders: ReadonlyMap<number, readonly PortHolder[]>): void {
  if (request.published === undefined) return;
  const holder = holders
    .get(request.published)
    ?.find(({ mode }) => mode === "ingress" || request.mode === "ingress");
  if (holder === undefined) return;
  const kind = holder.mode === "ingress" ? "an ingress port" : "a host-published port";
  const { id, spec } = holder.service;
  throw invalid(`port '${request.published}' is already in use by service '${spec.name}' (${id}) as ${kind}`);
}

/** For each request without a number, the port its target already has; adds those ports to `taken`. */
function keepCurrent(
  requests: readonly PortRequest[],
  current: readonly PublishedPort[],
  taken: Set<number>,
): ReadonlyMap<PortRequest, number> {
  const kept = new Map<PortRequest, number>();
  for (const request of requests) {
    if (request.published !== undefined || request.mode === "host") continue;
    const port = current.find(
      ({ target, published, mode }) =>
        target === request.target && mode === "ingress" && !taken.has(published),
    );
    if (port === undefined) continue;
    kept.set(request, port.published);
    taken.add(port.published);
  }
  return kept;
}

function lowestFree(taken: ReadonlySet<number>): number {
  for (let port = firstDynamicPort; port <= lastDynamicPort; port += 1) {
    if (!taken.has(port)) return port;
  }
  const text = `no port is free between ${firstDynamicPort} and ${lastDynamicPort}: request one by number, or remove a service`;
  throw new MeshError("publish/unavailable", text, { blame: "operator", retry: "safe" });
}
