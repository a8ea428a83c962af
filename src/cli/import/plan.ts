// The steps that make the mesh match a file, each with the step that takes it back.

import type { AdminState } from "../../domain/model/server.ts";
import type { ImportedServer } from "../../haproxy/backend-lines.ts";
import type { ImportedService } from "../../haproxy/import.ts";
import type { ServerStatus } from "../../protocol/server.ts";
import type { MeshClient } from "../client.ts";
import type { EngineService, EngineSpec } from "../engine.ts";
import { readService, writeSpec } from "../service/api.ts";
import { staticSpec } from "../service/static-spec.ts";
import { anyResponse, engineChange } from "../shapes.ts";

/** One change of the mesh. `text`: what it did, once it has run. */
export type ImportStep = {
  readonly text: string;
  readonly run: () => Promise<unknown>;
  readonly undo: () => Promise<unknown>;
};

/** The services and static servers of the mesh before an import. */
export type MeshState = {
  readonly services: readonly EngineService[];
  readonly servers: readonly ServerStatus[];
};

/** Labels that an import sets or removes; other labels stay. */
const importedLabels = [
  ...["waggle.host", "waggle.balance", "waggle.sticky", "waggle.slowstart", "waggle.maxconn"],
  ...["waggle.queue", "waggle.queue-timeout", "waggle.path", "waggle.at", "waggle.allbackups"],
  ...["waggle.head-timeout", "waggle.body-timeout", "waggle.hedge", "waggle.retries"],
];

/** Plans an import. Nothing that is already as in the file has a step. */
export function planImport(
  mesh: MeshClient,
  imported: readonly ImportedService[],
  state: MeshState,
): readonly ImportStep[] {
  const writer = new ServiceWriter(mesh, state.services);
  return [
    ...state.services.flatMap(({ Spec }) => releaseStep(writer, Spec.Name, imported)),
    ...imported.flatMap((service) => [
      ...serviceStep(writer, service),
      ...serverSteps(mesh, service, state.servers),
    ]),
  ];
}

/** Writes specs of services. The first write of each is refused if the service has changed since it was read. */
class ServiceWriter {
  readonly #mesh: MeshClient;
  readonly #known: Map<string, EngineService>;
  /** The specs as the steps before will leave them. */
  readonly planned: Map<string, EngineSpec>;

  constructor(mesh: MeshClient, services: readonly EngineService[]) {
    this.#mesh = mesh;
    this.#known = new Map(services.map((service) => [service.Spec.Name, service]));
    this.planned = new Map(services.map(({ Spec }) => [Spec.Name, Spec]));
  }

  create(spec: EngineSpec, text: string): ImportStep {
    this.planned.set(spec.Name, spec);
    return {
      text,
      run: () => this.#mesh.post("/services/create", spec, engineChange),
      undo: () => this.#mesh.delete(`/services/${encodeURIComponent(spec.Name)}`),
    };
  }

  update(before: EngineSpec, next: EngineSpec, text: string): ImportStep {
    this.planned.set(next.Name, next);
    return { text, run: () => this.#write(next), undo: () => this.#write(before) };
  }

  async #write(spec: EngineSpec): Promise<void> {
    const service = this.#known.get(spec.Name) ?? (await readService(this.#mesh, spec.Name));
    this.#known.delete(spec.Name);
    await writeSpec(this.#mesh, service, spec);
  }
}

/**
 * Removes ports and host names from a service if the file gives them to another one, because each can belong to
 * only one service.
 */
function releaseStep(
  writer: ServiceWriter,
  name: string,
  imported: readonly ImportedService[],
): readonly ImportStep[] {
  const spec = writer.planned.get(name);
  if (spec === undefined) return [];
  const others = imported.filter((service) => service.name !== name);
  const ports = spec.EndpointSpec?.Ports ?? [];
  const isMoved = ({ PublishedPort = 0 }: (typeof ports)[number]) =>
    others.some((other) => other.ports.includes(PublishedPort));
  const hosts = hostsIn(spec.Labels);
  const movedHosts = hosts.filter((host) => others.some(({ labels }) => hostsIn(labels).includes(host)));
  const moved = [...ports.filter(isMoved).map((port) => String(port.PublishedPort)), ...movedHosts];
  if (moved.length === 0) return [];
  const keptHosts = hosts.filter((host) => !movedHosts.includes(host)).join(",");
  const { "waggle.host": _, ...labels } = spec.Labels ?? {};
  const next = {
    ...spec,
    Labels: keptHosts === "" ? labels : { ...labels, "waggle.host": keptHosts },
    EndpointSpec: { ...spec.EndpointSpec, Ports: ports.filter((port) => !isMoved(port)) },
  };
  return [writer.update(spec, next, `removed ${moved.join(", ")} from service ${name}`)];
}

/** The host names of label `waggle.host`. */
export function hostsIn(labels: Readonly<Record<string, string>> | undefined): readonly string[] {
  return (labels?.["waggle.host"] ?? "").split(",").filter((host) => host !== "");
}

function serviceStep(writer: ServiceWriter, { name, ports, labels }: ImportedService): readonly ImportStep[] {
  const publish = ports.map((port) => {
    return { Protocol: "tcp", TargetPort: port, PublishedPort: port, PublishMode: "ingress" } as const;
  });
  const spec = staticSpec(name, publish, Object.entries(labels));
  const present = writer.planned.get(name);
  if (present === undefined) return [writer.create(spec, `created service ${name}`)];
  const next = mergeSpec(present, spec);
  return isSameJson(present, next) ? [] : [writer.update(present, next, `updated service ${name}`)];
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

function serverSteps(
  mesh: MeshClient,
  { name, servers }: ImportedService,
  all: readonly ServerStatus[],
): readonly ImportStep[] {
  const present = all.filter(({ service }) => service === name);
  const inFile = new Set(servers.map(({ spec }) => spec.name));
  return [
    ...servers.flatMap((server) => {
      const existing = present.find(({ spec }) => spec.name === server.spec.name);
      if (existing === undefined)
        return [addStep(mesh, name, server, `added server ${name}/${server.spec.name}`)];
      return isSameJson(existing.spec, server.spec) ? [] : [updateStep(mesh, existing, server)];
    }),
    ...present.filter(({ spec }) => !inFile.has(spec.name)).map((server) => removeStep(mesh, server)),
  ];
}

function addStep(
  mesh: MeshClient,
  service: string,
  { spec, admin }: { readonly spec: { readonly name: string }; readonly admin: AdminState },
  text: string,
): ImportStep {
  return {
    text,
    run: () => mesh.postNative("/mesh/servers", { service, server: spec, admin }, anyResponse),
    undo: () => mesh.deleteNative(serverPath(service, spec.name)),
  };
}

/** The admin state stays as the operator set it, like HAProxy's with a server state file. */
function updateStep(mesh: MeshClient, existing: ServerStatus, { spec }: ImportedServer): ImportStep {
  const path = `${serverPath(existing.service, spec.name)}/update`;
  return {
    text: `updated server ${existing.service}/${spec.name}`,
    run: () => mesh.postNative(`${path}?version=${existing.version}`, spec, anyResponse),
    undo: () => mesh.postNative(path, existing.spec, anyResponse),
  };
}

function removeStep(mesh: MeshClient, server: ServerStatus): ImportStep {
  const { service, spec } = server;
  const added = addStep(mesh, service, server, "");
  return { text: `removed server ${service}/${spec.name}`, run: added.undo, undo: added.run };
}

function serverPath(service: string, server: string): string {
  return `/mesh/servers/${encodeURIComponent(service)}/${encodeURIComponent(server)}`;
}

/** True if two values are equal as JSON; the order of keys does not matter. */
function isSameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, sortKeys) === JSON.stringify(b, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
}
