// The operator's changes of static servers: add, update, remove.

import { MeshError } from "../domain/model/error.ts";
import { resolveRef } from "../domain/model/refs.ts";
import { type ServerSpec, type StaticServer, serverName } from "../domain/model/server.ts";
import { initialServerHealth, restartChecks, type ServerHealth } from "../domain/model/server-health.ts";
import type { Service } from "../domain/model/service.ts";
import type { World } from "../domain/model/world.ts";
import { validateServer } from "../domain/validate/server.ts";
import { checkServerHost } from "./addresses.ts";
import type { ServerInput, ServerView } from "./api.ts";
import { type Draft, serverSubject } from "./draft.ts";
import { findOwnService, findService, requireVersion } from "./refs.ts";
import { sameData } from "./same-data.ts";

/** Static servers per service. HAProxy's round robin allows 4,095. */
const maxServers = 1_000;

/**
 * Adds a server to a service. It takes requests at once, before its first check ends, as in HAProxy.
 *
 * @throws MeshError service/not-found, server/conflict, server/invalid, address/invalid
 */
export function addServer(
  draft: Draft,
  serviceRef: string,
  { spec, admin }: ServerInput,
  actor: string,
): ServerView {
  const service = findOwnService(draft.world, serviceRef);
  const others = serversOf(draft.world, service.id);
  checkSpec(draft, spec, null);
  if (others.some((other) => other.spec.name === spec.name)) {
    throw refuse("server/conflict", `service ${service.spec.name} already has a server ${spec.name}`);
  }
  if (others.length >= maxServers) {
    throw refuse(
      "server/invalid",
      `service ${service.spec.name} already has ${maxServers} servers, the maximum`,
    );
  }
  const server: StaticServer = {
    id: draft.context.newId(),
    serviceId: service.id,
    spec,
    admin,
    health: spec.check === null ? null : initialServerHealth(spec.check, draft.nowMs),
    epoch: 1,
    version: 1,
    createdAtMs: draft.nowMs,
    updatedAtMs: draft.nowMs,
  };
  draft.put("servers", server);
  draft.recordEvent(actor, "server.add", serverSubject(draft.world, server), addressText(server));
  return serverView(service, server);
}

/**
 * Replaces a server's spec. An equal spec raises no version.
 *
 * @param version the version that the change is based on; null: any
 * @throws MeshError server/not-found, server/sequence, server/invalid, address/invalid
 */
export function updateServer(
  draft: Draft,
  ref: string,
  version: number | null,
  spec: ServerSpec,
  actor: string,
): ServerView {
  const server = findServer(draft.world, ref);
  const service = serviceOf(draft.world, server);
  if (version !== null) requireVersion("server", server, version);
  checkSpec(draft, spec, server.spec);
  if (spec.name !== server.spec.name)
    throw refuse("server/invalid", "a server cannot be renamed: add another one");
  if (sameData(spec, server.spec)) return serverView(service, server);
  const checksRestart = checkFingerprint(spec) !== checkFingerprint(server.spec);
  const next: StaticServer = {
    ...server,
    spec,
    health: checksRestart ? healthAfter(server, spec, draft.nowMs) : server.health,
    epoch: server.epoch + (checksRestart ? 1 : 0),
    version: server.version + 1,
    updatedAtMs: draft.nowMs,
  };
  draft.put("servers", next);
  draft.recordEvent(actor, "server.update", serverSubject(draft.world, next), addressText(next));
  return serverView(service, next);
}

/** Removes a server. Requests in flight continue. @throws MeshError server/not-found */
export function removeServer(draft: Draft, ref: string, actor: string): void {
  const server = findServer(draft.world, ref);
  draft.remove("servers", server.id);
  draft.recordEvent(actor, "server.remove", serverSubject(draft.world, server));
}

/** Removes all servers of a service. */
export function removeServersOf(draft: Draft, serviceId: string): void {
  for (const { id } of serversOf(draft.world, serviceId)) draft.remove("servers", id);
}

/**
 * Servers by service and name.
 *
 * @param serviceRef null: of all services
 * @throws MeshError service/not-found
 */
export function serverViews(world: World, serviceRef: string | null): readonly ServerView[] {
  const services = serviceRef === null ? [...world.services.values()] : [findService(world, serviceRef)];
  const byService = Map.groupBy(world.servers.values(), ({ serviceId }) => serviceId);
  return services
    .sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1))
    .flatMap((service) =>
      [...(byService.get(service.id) ?? [])]
        .sort(byNaturalOrder)
        .map((server) => serverView(service, server)),
    );
}

/** Finds a server by `my-web/node1`, an id, or a unique id prefix. @throws MeshError server/not-found */
export function findServer(world: World, ref: string): StaticServer {
  return resolveRef(world.servers.values(), ref, {
    kind: "server",
    name: (server) => serverName(serviceOf(world, server).spec.name, server),
  });
}

function serverView(service: Service, server: StaticServer): ServerView {
  return { ...server, service: service.spec.name };
}

export function serviceOf(world: World, { serviceId }: StaticServer): Service {
  const service = world.services.get(serviceId);
  if (service === undefined)
    throw refuse("server/not-found", `service ${serviceId} of the server was removed`);
  return service;
}

function serversOf(world: World, serviceId: string): readonly StaticServer[] {
  return [...world.servers.values()].filter((server) => server.serviceId === serviceId);
}

function checkSpec(draft: Draft, spec: ServerSpec, before: ServerSpec | null): void {
  validateServer(spec, before);
  const checkedPorts = spec.check?.port == null ? [] : [spec.check.port];
  checkServerHost(spec.host, [spec.port, ...checkedPorts], draft.context.addresses);
}

/** The part of a spec that affects the results of checks. */
function checkFingerprint({ host, port, check }: ServerSpec): string {
  return JSON.stringify([host, port, check]);
}

function healthAfter({ health }: StaticServer, { check }: ServerSpec, nowMs: number): ServerHealth | null {
  if (check === null) return null;
  return health === null ? initialServerHealth(check, nowMs) : restartChecks(health, check);
}

function addressText({ spec: { host, port, check } }: StaticServer): string {
  return `${host}:${port}${check === null ? ", not checked" : ""}`;
}

/** Compares numbers in names by value: web2 before web10. */
function byNaturalOrder(a: StaticServer, b: StaticServer): number {
  return a.spec.name.localeCompare(b.spec.name, "en", { numeric: true }) || (a.id < b.id ? -1 : 1);
}

function refuse(code: MeshError["code"], message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}
