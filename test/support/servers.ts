// Builders of static servers for tests, with defaults for every field.

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

/** Without checks unless `over` has some. */
export function aServerSpec(over: Partial<ServerSpec> = {}): ServerSpec {
  return { ...serverDefaults, name: "node1", host: "10.0.0.1", port: 8080, check: null, ...over };
}

/** With checks: the defaults, overridden by `check`. */
export function aCheckedServer(over: Partial<ServerSpec> = {}, check: PartialCheckSpec = {}): ServerSpec {
  return aServerSpec({ check: withCheckDefaults(check, { tls: false }), ...over });
}

/** Up unless `over` says otherwise. */
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
