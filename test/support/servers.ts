// Builders: static servers for tests, with every field a test does not care about filled in.

import {
  type PartialCheckSpec,
  type ServerSpec,
  type StaticServer,
  serverDefaults,
  withCheckDefaults,
} from "../../src/domain/model/server.ts";
import { initialServerHealth } from "../../src/domain/model/server-health.ts";
import type { Service } from "../../src/domain/model/service.ts";
import { now } from "./world.ts";

/** A server without checks unless `over` says otherwise. */
export function aServerSpec(over: Partial<ServerSpec> = {}): ServerSpec {
  return { ...serverDefaults, name: "node1", host: "10.0.0.1", port: 8080, check: null, ...over };
}

/** A server that is checked. */
export function aCheckedServer(over: Partial<ServerSpec> = {}, words: PartialCheckSpec = {}): ServerSpec {
  return aServerSpec({ check: withCheckDefaults(words, { tls: false }), ...over });
}

/** A server of a service, up unless told otherwise. */
export function aServer(
  service: Pick<Service, "id">,
  spec: ServerSpec = aServerSpec(),
  over: Partial<StaticServer> = {},
): StaticServer {
  return {
    id: `${spec.name}${"v".repeat(25)}`.slice(0, 25),
    serviceId: service.id,
    spec,
    admin: "ready",
    health: spec.check === null ? null : initialServerHealth(spec.check, now),
    epoch: 1,
    version: 1,
    createdAtMs: now,
    updatedAtMs: now,
    ...over,
  };
}
