// How a discovered service is published: its labels, host names and ports, as far as no other service has them. What it
// does not get is a warning.

import { exclusiveHostsOf, hostsOf } from "../domain/labels/labels.ts";
import { pathsOf } from "../domain/labels/path-labels.ts";
import type { DiscoveredService } from "../domain/model/discovery.ts";
import { MeshError } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { allocatePorts } from "../domain/model/ports.ts";
import type { PortRequest, RunSpec, Service, ServiceSpec } from "../domain/model/service.ts";
import type { World } from "../domain/model/world.ts";
import { validateSpec } from "../domain/validate/service.ts";

/** Labels by which a service takes or gets the requests of others. Only an operator may set them. */
const operatorLabels = ["waggle.at", "waggle.default", "waggle.canary"];

/** A service as one node reports it. */
export type ReportedService = { readonly node: MeshNode; readonly service: DiscoveredService };

type Publishing = {
  readonly labels: DiscoveredService["labels"];
  readonly requests: readonly PortRequest[];
  readonly ports: Service["ports"];
  /** What is not published, and why. */
  readonly warnings: readonly string[];
};

/**
 * The labels and ports by which a service is published: none if one of its labels cannot be used.
 *
 * @param known the ports that it has already
 * @param others services that come before it, and all nodes
 */
export function publishingOf(
  { node, service }: ReportedService,
  known: Service["ports"],
  others: Pick<World, "nodes" | "services">,
): Publishing {
  const requests = onePerPublished(service.ports).map(({ target, published }) => ({
    target,
    mode: "ingress" as const,
    ...(published !== undefined && { published }),
  }));
  const refusal = refusalOf(service, requests);
  if (refusal !== null) return { labels: {}, requests: [], ports: [], warnings: [notPublished(refusal)] };
  const services = [...others.services.values()];
  const taken = takenPorts(requests, services);
  const conflict = hostConflict(node, service, { nodes: others.nodes, services });
  const { "waggle.host": _host, "waggle.path": _path, ...withoutHosts } = service.labels;
  return {
    labels: conflict === null ? service.labels : withoutHosts,
    requests,
    ports: allocatePorts(
      requests.filter((request) => !taken.has(request)),
      known,
      services,
    ),
    warnings: [...(conflict === null ? [] : [conflict]), ...[...taken.values()].map(notPublished)],
  };
}

function notPublished({ message }: MeshError): string {
  return `not published: ${message}`;
}

/** Why none of its labels is used; null if they are. */
function refusalOf(service: DiscoveredService, requests: readonly PortRequest[]): MeshError | null {
  const restricted = operatorLabels.find((label) => service.labels[label] !== undefined);
  if (restricted !== undefined) {
    return new MeshError(
      "label/invalid",
      `label '${restricted}' concerns other services, which only an operator may change`,
      { blame: "operator", retry: "never" },
    );
  }
  return refusedBy(() => validateSpec(discoveredSpec(service, service.labels, requests, 0)));
}

/** The ports that another service has, each with the refusal. */
function takenPorts(
  requests: readonly PortRequest[],
  services: readonly Service[],
): ReadonlyMap<PortRequest, MeshError> {
  const taken = new Map<PortRequest, MeshError>();
  for (const request of requests) {
    const refusal = refusedBy(() => allocatePorts([request], [], services));
    if (refusal !== null) taken.set(request, refusal);
  }
  return taken;
}

/** The refusal of some work; null without one. */
function refusedBy(work: () => unknown): MeshError | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
}

/** Why a service does not get its host names; null if it gets them all. */
function hostConflict(
  node: MeshNode,
  { labels }: DiscoveredService,
  { nodes, services }: { readonly nodes: World["nodes"]; readonly services: readonly Service[] },
): string | null {
  const wanted = new Set(namedHosts(labels));
  if (wanted.size === 0) return null;
  const exclusive = new Set(exclusiveHostsOf(labels));
  for (const other of services) {
    const isOurs = other.discovered?.nodeId === node.id;
    // Services that one node defines may share a host name by their paths.
    const taken = isOurs
      ? exclusiveHostsOf(other.spec.labels).filter((host) => exclusive.has(host))
      : namedHosts(other.spec.labels).filter((host) => wanted.has(host));
    if (taken[0] !== undefined)
      return `not published at host name ${taken[0]}, which leads to service ${other.spec.name}`;
  }
  const entry = [...nodes.values()].flatMap(({ entryHosts }) => entryHosts);
  const own = entry.map((host) => host.toLowerCase()).find((host) => wanted.has(host));
  return own === undefined ? null : `not published at host name ${own}, which is the entry point of a node`;
}

/** All host names that a service has a part of. */
function namedHosts(labels: Service["spec"]["labels"]): readonly string[] {
  const hosts = hostsOf(labels);
  const rules = pathsOf(labels, hosts)?.rules ?? [];
  return [...new Set([...hosts, ...rules.flatMap(({ host }) => host ?? [])])];
}

/** Each published port once, the first target that asks for it. */
function onePerPublished(ports: DiscoveredService["ports"]): DiscoveredService["ports"] {
  return ports.filter(
    ({ published }, index) =>
      published === undefined || ports.findIndex((port) => port.published === published) === index,
  );
}

/** The spec of a discovered service. The mesh does not run its tasks. */
export function discoveredSpec(
  { name, image, ports: defined }: DiscoveredService,
  labels: ServiceSpec["labels"],
  ports: readonly PortRequest[],
  replicas: number,
): ServiceSpec {
  const targets = [...new Set(defined.map(({ target }) => target))].sort((a, b) => a - b);
  return {
    name,
    labels,
    run: { ...emptyRun, image, targets },
    mode: { kind: "replicated", replicas },
    ports,
    constraints: [],
    maxPerNode: 0,
    reservations: { nanoCpus: 0, memoryBytes: 0 },
    restart: { condition: "none", maxAttempts: 0, windowMs: 0 },
    update: { parallelism: 1, order: "start-first" },
    forceUpdate: 0,
  };
}

const emptyRun: Omit<RunSpec, "image" | "targets"> = {
  command: [],
  args: [],
  env: [],
  dir: "",
  stopSignal: "",
  stopGraceMs: 0,
};

/** The service as the Engine API shows it. */
export function documentOf({ name, labels, run, mode, ports }: ServiceSpec): unknown {
  return {
    Name: name,
    Labels: labels,
    TaskTemplate: { ContainerSpec: { Image: run.image } },
    Mode: { Replicated: { Replicas: mode.kind === "replicated" ? mode.replicas : 0 } },
    ...(ports.length > 0 && {
      EndpointSpec: {
        Mode: "vip",
        Ports: ports.map(({ target, published }) => ({
          Protocol: "tcp",
          TargetPort: target,
          ...(published !== undefined && { PublishedPort: published }),
          PublishMode: "ingress",
        })),
      },
    }),
  };
}
