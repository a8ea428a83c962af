// What the operator does to static servers: add, change, remove.

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
import { findService, requireVersion } from "./refs.ts";
import { sameData } from "./same-data.ts";

/** Static servers one service may have; HAProxy's round robin takes 4095 and is rarely given as many. */
const maxServers = 1_000;

/**
 * Gives a service one more server. Its checks begin at once; it takes requests from the start, as HAProxy's do.
 *
 * @throws MeshError service/not-found, server/conflict, server/invalid, address/invalid
 */
export function addServer(
  draft: Draft,
  serviceRef: string,
  { spec, admin }: ServerInput,
  actor: string,
): ServerView {
  const service = findService(draft.world, serviceRef);
  const others = serversOf(draft.world, service.id);
  checkSpec(draft, spec);
  if (others.some((other) => other.spec.name === spec.name)) {
    throw refuse("server/conflict", `service ${service.spec.name} already has a server ${spec.name}`);
  }
  if (others.length >= maxServers) {
    throw refuse(
      "server/invalid",
      `service ${service.spec.name} has ${maxServers} servers, the most there can be`,
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
 * Gives a server another spec; the same one again raises no version.
 *
 * @param version that the change was made to; null: whichever there is
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
  checkSpec(draft, spec);
  if (spec.name !== server.spec.name)
    throw refuse("server/invalid", "a server keeps its name: add another one");
  if (sameData(spec, server.spec)) return serverView(service, server);
  const isProbedAnew = checkFingerprint(spec) !== checkFingerprint(server.spec);
  const next: StaticServer = {
    ...server,
    spec,
    health: isProbedAnew ? healthAfter(server, spec, draft.nowMs) : server.health,
    epoch: server.epoch + (isProbedAnew ? 1 : 0),
    version: server.version + 1,
    updatedAtMs: draft.nowMs,
  };
  draft.put("servers", next);
  draft.recordEvent(actor, "server.update", serverSubject(draft.world, next), addressText(next));
  return serverView(service, next);
}

/** Takes a server away; requests under way go on. @throws MeshError server/not-found */
export function removeServer(draft: Draft, ref: string, actor: string): void {
  const server = findServer(draft.world, ref);
  draft.remove("servers", server.id);
  draft.recordEvent(actor, "server.remove", serverSubject(draft.world, server));
}

/** Takes a service's servers away with it. */
export function removeServersOf(draft: Draft, serviceId: string): void {
  for (const { id } of serversOf(draft.world, serviceId)) draft.remove("servers", id);
}

/** Servers by service and name. @param serviceRef null: of all services. @throws MeshError service/not-found */
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

/** The server a ref means: `my-web/node1`, an id, or the start of one. @throws MeshError server/not-found */
export function findServer(world: World, ref: string): StaticServer {
  return resolveRef(world.servers.values(), ref, {
    kind: "server",
    name: (server) => serverName(serviceOf(world, server).spec.name, server),
  });
}

export function serverView(service: Service, server: StaticServer): ServerView {
  return { ...server, service: service.spec.name };
}

export function serviceOf(world: World, { serviceId }: StaticServer): Service {
  const service = world.services.get(serviceId);
  if (service === undefined)
    throw refuse("server/not-found", `service ${serviceId} of the server is no more`);
  return service;
}

function serversOf(world: World, serviceId: string): readonly StaticServer[] {
  return [...world.servers.values()].filter((server) => server.serviceId === serviceId);
}

function checkSpec(draft: Draft, spec: ServerSpec): void {
  validateServer(spec);
  checkServerHost(spec.host, draft.context.mode);
}

/** All that what is seen of a server depends on. */
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

/** web2 before web10. */
function byNaturalOrder(a: StaticServer, b: StaticServer): number {
  return a.spec.name.localeCompare(b.spec.name, "en", { numeric: true }) || (a.id < b.id ? -1 : 1);
}

function refuse(code: MeshError["code"], message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}
