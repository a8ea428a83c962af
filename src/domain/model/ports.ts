// Published ports: which port of the mesh belongs to which service.

import { invalidAs, MeshError } from "./error.ts";
import type { PortRequest, PublishedPort, Service } from "./service.ts";

const invalid = invalidAs("publish/invalid");

/** Ports given where none was asked for. The rest of 1-65535 is handed out only by name. */
const firstDynamicPort = 30_000;
const lastDynamicPort = 32_767;

/**
 * The published ports of one service, in the order they were asked for: those asked for by number, and for the others
 * the port the same target already has, or else the lowest free one from 30000 to 32767. A `mode: "host"` request
 * without a number gets none: the task's own port on its node is then the only one.
 *
 * A port belongs to a service for as long as the service has it among its ports, and to nobody else; only two services
 * that both publish in host mode may share one, since a node where both run is ruled out when tasks are placed.
 *
 * @param current the service's ports before this change; none for a new service
 * @param others all other services
 * @throws MeshError `publish/invalid` with SwarmKit's text when a port is taken or named twice, `publish/unavailable`
 *   when no port is free
 * @see docs/spec.md P1-P11
 */
export function allocatePorts(
  requests: readonly PortRequest[],
  current: readonly PublishedPort[],
  others: Iterable<Service>,
): readonly PublishedPort[] {
  const held = portHolders(others);
  const asked = requestedPorts(requests);
  for (const request of requests) checkPortConflict(request, held);
  const taken = new Set([...held.keys(), ...asked]);
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

/** Who holds which port; more than one only in host mode. */
function portHolders(services: Iterable<Service>): ReadonlyMap<number, readonly PortHolder[]> {
  const held = new Map<number, PortHolder[]>();
  for (const service of services) {
    for (const { published, mode } of service.ports) {
      const holders = held.get(published);
      if (holders === undefined) held.set(published, [{ service, mode }]);
      else holders.push({ service, mode });
    }
  }
  return held;
}

/** The ports asked for by number, each once. */
function requestedPorts(requests: readonly PortRequest[]): ReadonlySet<number> {
  const asked = requests.flatMap(({ published }) => published ?? []);
  const once = new Set(asked);
  if (once.size < asked.length) throw invalid("EndpointSpec: duplicate published ports provided");
  return once;
}

function checkPortConflict(request: PortRequest, held: ReadonlyMap<number, readonly PortHolder[]>): void {
  if (request.published === undefined) return;
  const holder = held
    .get(request.published)
    ?.find(({ mode }) => mode === "ingress" || request.mode === "ingress");
  if (holder === undefined) return;
  const how = holder.mode === "ingress" ? "an ingress port" : "a host-published port";
  const { id, spec } = holder.service;
  throw invalid(`port '${request.published}' is already in use by service '${spec.name}' (${id}) as ${how}`);
}

/** For each request without a number, the port its target has now; all of them are then taken. */
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
  const text = `no port is free between ${firstDynamicPort} and ${lastDynamicPort}: ask for one by number, or remove a service`;
  throw new MeshError("publish/unavailable", text, { blame: "operator", retry: "safe" });
}
