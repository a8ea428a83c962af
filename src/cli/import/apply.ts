// Taking over what was imported: everything is looked at first, then services and servers are made or changed by name.

import type { ImportedService } from "../../haproxy/import.ts";
import type { ServerStatus } from "../../protocol/server.ts";
import type { MeshClient } from "../client.ts";
import type { EngineService, EngineSpec } from "../engine.ts";
import { refused } from "../errors.ts";
import { writeSpec } from "../service/api.ts";
import { staticImage, staticSpec } from "../service/static-spec.ts";

/** Labels of a service that an import decides; all others stay as they are. */
const importedLabels = [
  ...["waggle.host", "waggle.balance", "waggle.sticky", "waggle.slowstart", "waggle.maxconn"],
  ...["waggle.queue-timeout", "waggle.path", "waggle.at", "waggle.allbackups"],
];

/**
 * Makes the mesh as the file says. A second time there is nothing to do.
 *
 * @param did is told of each step once it is done
 * @throws CliError before anything is done, when a name or a port belongs to something else
 */
export async function applyImport(
  mesh: MeshClient,
  wanted: readonly ImportedService[],
  did: (step: string) => void,
): Promise<void> {
  const before = await mesh.get<EngineService[]>("/services");
  const servers = await mesh.getNative<ServerStatus[]>("/servers");
  checkNames(wanted, before);
  checkPorts(wanted, before);
  checkHosts(wanted, before);
  const services = (await releaseTaken(mesh, wanted, before, did))
    ? await mesh.get<EngineService[]>("/services")
    : before;
  for (const one of wanted) {
    await applyService(mesh, one, services, did);
    await applyServers(
      mesh,
      one,
      servers.filter(({ service }) => service === one.name),
      did,
    );
  }
}

function checkNames(wanted: readonly ImportedService[], services: readonly EngineService[]): void {
  for (const { name, line } of wanted) {
    const image = imageOf(services.find(({ Spec }) => Spec.Name === name));
    if (image === null || image === staticImage) continue;
    throw refused(
      `service ${name} (line ${line}) already exists and runs ${image}`,
      "rename the backend, or remove the service",
    );
  }
}

function checkPorts(wanted: readonly ImportedService[], services: readonly EngineService[]): void {
  const holders = new Map<number, string>();
  const names = new Set(wanted.map(({ name }) => name));
  for (const { Spec, Endpoint } of services) {
    if (names.has(Spec.Name)) continue;
    for (const { PublishedPort } of Endpoint?.Ports ?? []) holders.set(PublishedPort ?? 0, Spec.Name);
  }
  for (const { name, line, ports } of wanted) {
    for (const port of ports) {
      const holder = holders.get(port);
      if (holder !== undefined) {
        throw refused(`port ${port} of ${name} (line ${line}) is already in use by service ${holder}`);
      }
      holders.set(port, name);
    }
  }
}

function checkHosts(wanted: readonly ImportedService[], services: readonly EngineService[]): void {
  const names = new Set(wanted.map(({ name }) => name));
  for (const { Spec } of services) {
    if (names.has(Spec.Name)) continue;
    for (const { name, line, labels } of wanted) {
      const host = hostsIn(labels).find((one) => hostsIn(Spec.Labels).includes(one));
      if (host === undefined) continue;
      throw refused(`host name ${host} of ${name} (line ${line}) already belongs to service ${Spec.Name}`);
    }
  }
}

/**
 * Takes from services what the file gives to others now, for a port and a host name have one service at a time.
 *
 * @returns whether there was any
 */
async function releaseTaken(
  mesh: MeshClient,
  wanted: readonly ImportedService[],
  services: readonly EngineService[],
  did: (step: string) => void,
): Promise<boolean> {
  let any = false;
  for (const service of services) {
    const { Spec } = service;
    const others = wanted.filter(({ name }) => name !== Spec.Name);
    const ports = Spec.EndpointSpec?.Ports ?? [];
    const isTaken = ({ PublishedPort = 0 }: (typeof ports)[number]) =>
      others.some((one) => one.ports.includes(PublishedPort));
    const hosts = hostsIn(Spec.Labels);
    const takenHosts = hosts.filter((host) => others.some(({ labels }) => hostsIn(labels).includes(host)));
    const gone = [...ports.filter(isTaken).map((one) => String(one.PublishedPort)), ...takenHosts];
    if (gone.length === 0) continue;
    any = true;
    const left = hosts.filter((host) => !takenHosts.includes(host)).join(",");
    const { "waggle.host": _, ...labels } = Spec.Labels ?? {};
    const next = {
      ...Spec,
      Labels: left === "" ? labels : { ...labels, "waggle.host": left },
      EndpointSpec: { ...Spec.EndpointSpec, Ports: ports.filter((one) => !isTaken(one)) },
    };
    await writeSpec(mesh, service, next);
    did(`removed ${gone.join(", ")} from service ${Spec.Name}`);
  }
  return any;
}

function hostsIn(labels: Readonly<Record<string, string>> | undefined): readonly string[] {
  return (labels?.["waggle.host"] ?? "").split(",").filter((host) => host !== "");
}

async function applyService(
  mesh: MeshClient,
  { name, ports, labels }: ImportedService,
  services: readonly EngineService[],
  did: (step: string) => void,
): Promise<void> {
  const publish = ports.map((port) => {
    return { Protocol: "tcp", TargetPort: port, PublishedPort: port, PublishMode: "ingress" } as const;
  });
  const spec = staticSpec(name, publish, Object.entries(labels));
  const present = services.find(({ Spec }) => Spec.Name === name);
  if (present === undefined) {
    await mesh.post("/services/create", spec);
    return did(`created service ${name}`);
  }
  const next = mergeSpec(present.Spec, spec);
  if (isSameJson(present.Spec, next)) return;
  await writeSpec(mesh, present, next);
  did(`updated service ${name}`);
}

/** The spec there is, with what an import decides as the file says. */
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
  did: (step: string) => void,
): Promise<void> {
  const path = (server: string) => `/mesh/servers/${encodeURIComponent(name)}/${encodeURIComponent(server)}`;
  for (const { spec, admin } of servers) {
    const known = present.find((one) => one.spec.name === spec.name);
    if (known === undefined) {
      await mesh.postNative("/mesh/servers", { service: name, server: spec, admin });
      did(`added server ${name}/${spec.name}`);
    } else if (!isSameJson(known.spec, spec)) {
      // The admin state is the operator's from then on, as HAProxy keeps it over a reload with a state file.
      await mesh.postNative(`${path(spec.name)}/update?version=${known.version}`, spec);
      did(`updated server ${name}/${spec.name}`);
    }
  }
  for (const { spec } of present) {
    if (servers.some((one) => one.spec.name === spec.name)) continue;
    await mesh.deleteNative(path(spec.name));
    did(`removed server ${name}/${spec.name}`);
  }
}

function imageOf(service: EngineService | undefined): string | null {
  return service?.Spec.TaskTemplate.ContainerSpec.Image ?? null;
}

/** Whether two values are the same as JSON, whatever the order of their keys. */
function isSameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, sortKeys) === JSON.stringify(b, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
}
