// Applies an import to the mesh: checks everything first, then creates or updates services and servers by
// name.

import type { ImportedService } from "../../haproxy/import.ts";
import type { ServerStatus } from "../../protocol/server.ts";
import type { MeshClient } from "../client.ts";
import type { EngineService, EngineSpec } from "../engine.ts";
import { refused } from "../errors.ts";
import { writeSpec } from "../service/api.ts";
import { staticImage, staticSpec } from "../service/static-spec.ts";

/** Labels that an import sets or removes; other labels stay. */
const importedLabels = [
  ...["waggle.host", "waggle.balance", "waggle.sticky", "waggle.slowstart", "waggle.maxconn"],
  ...["waggle.queue-timeout", "waggle.path", "waggle.at", "waggle.allbackups"],
];

/**
 * Makes the mesh match the file. Idempotent.
 *
 * @param onStep called after each step
 * @throws CliError before any change, if a name, port or host name belongs to another service
 */
export async function applyImport(
  mesh: MeshClient,
  imported: readonly ImportedService[],
  onStep: (step: string) => void,
): Promise<void> {
  const before = await mesh.get<EngineService[]>("/services");
  const servers = await mesh.getNative<ServerStatus[]>("/servers");
  checkNames(imported, before);
  checkPorts(imported, before);
  checkHosts(imported, before);
  const hasReleased = await releaseMoved(mesh, imported, before, onStep);
  const services = hasReleased ? await mesh.get<EngineService[]>("/services") : before;
  for (const service of imported) {
    const present = servers.filter((server) => server.service === service.name);
    await applyService(mesh, service, services, onStep);
    await applyServers(mesh, service, present, onStep);
  }
}

function checkNames(imported: readonly ImportedService[], services: readonly EngineService[]): void {
  for (const { name, line } of imported) {
    const image = imageOf(services.find(({ Spec }) => Spec.Name === name));
    if (image === null || image === staticImage) continue;
    throw refused(
      `service ${name} (line ${line}) already exists and runs ${image}`,
      "rename the backend, or remove the service",
    );
  }
}

function checkPorts(imported: readonly ImportedService[], services: readonly EngineService[]): void {
  const holders = new Map<number, string>();
  const names = new Set(imported.map(({ name }) => name));
  for (const { Spec, Endpoint } of services) {
    if (names.has(Spec.Name)) continue;
    for (const { PublishedPort } of Endpoint?.Ports ?? []) holders.set(PublishedPort ?? 0, Spec.Name);
  }
  for (const { name, line, ports } of imported) {
    for (const port of ports) {
      const holder = holders.get(port);
      if (holder !== undefined) {
        throw refused(`port ${port} of ${name} (line ${line}) is already in use by service ${holder}`);
      }
      holders.set(port, name);
    }
  }
}

function checkHosts(imported: readonly ImportedService[], services: readonly EngineService[]): void {
  const names = new Set(imported.map(({ name }) => name));
  for (const { Spec } of services) {
    if (names.has(Spec.Name)) continue;
    for (const { name, line, labels } of imported) {
      const host = hostsIn(labels).find((name) => hostsIn(Spec.Labels).includes(name));
      if (host === undefined) continue;
      throw refused(`host name ${host} of ${name} (line ${line}) already belongs to service ${Spec.Name}`);
    }
  }
}

/**
 * Removes ports and host names from services if the file gives them to another service, because each can
 * belong to only one service.
 *
 * @returns true if any service was changed
 */
async function releaseMoved(
  mesh: MeshClient,
  imported: readonly ImportedService[],
  services: readonly EngineService[],
  onStep: (step: string) => void,
): Promise<boolean> {
  let hasChanged = false;
  for (const service of services) {
    const { Spec } = service;
    const others = imported.filter(({ name }) => name !== Spec.Name);
    const ports = Spec.EndpointSpec?.Ports ?? [];
    const isMoved = ({ PublishedPort = 0 }: (typeof ports)[number]) =>
      others.some((other) => other.ports.includes(PublishedPort));
    const hosts = hostsIn(Spec.Labels);
    const movedHosts = hosts.filter((host) => others.some(({ labels }) => hostsIn(labels).includes(host)));
    const moved = [...ports.filter(isMoved).map((port) => String(port.PublishedPort)), ...movedHosts];
    if (moved.length === 0) continue;
    hasChanged = true;
    const keptHosts = hosts.filter((host) => !movedHosts.includes(host)).join(",");
    const { "waggle.host": _, ...labels } = Spec.Labels ?? {};
    const next = {
      ...Spec,
      Labels: keptHosts === "" ? labels : { ...labels, "waggle.host": keptHosts },
      EndpointSpec: { ...Spec.EndpointSpec, Ports: ports.filter((port) => !isMoved(port)) },
    };
    await writeSpec(mesh, service, next);
    onStep(`removed ${moved.join(", ")} from service ${Spec.Name}`);
  }
  return hasChanged;
}

function hostsIn(labels: Readonly<Record<string, string>> | undefined): readonly string[] {
  return (labels?.["waggle.host"] ?? "").split(",").filter((host) => host !== "");
}

async function applyService(
  mesh: MeshClient,
  { name, ports, labels }: ImportedService,
  services: readonly EngineService[],
  onStep: (step: string) => void,
): Promise<void> {
  const publish = ports.map((port) => {
    return { Protocol: "tcp", TargetPort: port, PublishedPort: port, PublishMode: "ingress" } as const;
  });
  const spec = staticSpec(name, publish, Object.entries(labels));
  const present = services.find(({ Spec }) => Spec.Name === name);
  if (present === undefined) {
    await mesh.post("/services/create", spec);
    return onStep(`created service ${name}`);
  }
  const next = mergeSpec(present.Spec, spec);
  if (isSameJson(present.Spec, next)) return;
  await writeSpec(mesh, present, next);
  onStep(`updated service ${name}`);
}

/** The current spec with the labels and ports of the file. */
function mergeSpec(present: EngineSpec, { Labels, EndpointSpec }: EngineSpec): EngineSpec {
  const kept = Object.entries(present.Labels ?? {}).filter(([key]) => !importedLabels.includes(key));
  return {
    ...present,
    Labels: { ...Object.fromEntries(kept), ...Labels },
    EndpointSpec: { ...present.EndpointSpec, Ports: EndpointSpec?.Ports ?? [] },
  };
}

async function applyServers(
  mesh: MeshClient,
  { name, servers }: ImportedService,
  present: readonly ServerStatus[],
  onStep: (step: string) => void,
): Promise<void> {
  const path = (server: string) => `/mesh/servers/${encodeURIComponent(name)}/${encodeURIComponent(server)}`;
  for (const { spec, admin } of servers) {
    const existing = present.find((server) => server.spec.name === spec.name);
    if (existing === undefined) {
      await mesh.postNative("/mesh/servers", { service: name, server: spec, admin });
      onStep(`added server ${name}/${spec.name}`);
    } else if (!isSameJson(existing.spec, spec)) {
      // The admin state stays as the operator set it, like HAProxy's with a server state file.
      await mesh.postNative(`${path(spec.name)}/update?version=${existing.version}`, spec);
      onStep(`updated server ${name}/${spec.name}`);
    }
  }
  for (const { spec } of present) {
    if (servers.some((server) => server.spec.name === spec.name)) continue;
    await mesh.deleteNative(path(spec.name));
    onStep(`removed server ${name}/${spec.name}`);
  }
}

function imageOf(service: EngineService | undefined): string | null {
  return service?.Spec.TaskTemplate.ContainerSpec.Image ?? null;
}

/** True if two values are equal as JSON; the order of keys does not matter. */
function isSameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, sortKeys) === JSON.stringify(b, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
}
