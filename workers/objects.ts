// The Durable Objects of a mesh: their names, their locations, and a new stub of each.
//
// The first caller of an object decides where it lives, so all callers must ask with the same location.

import type { MeshApi, RouterExchangeApi } from "../src/registry/api.ts";
import type { Env } from "./env.ts";

/** The name of the one registry and the one telemetry object. */
const objectName = "mesh";

/** The one region if none is configured: near the registry's first caller, as the platform places objects. */
const autoRegion = "auto";

type ObjectEnv = Pick<Env, "REGISTRY" | "TELEMETRY" | "PROBER" | "TUNNEL" | "REGISTRY_LOCATION">;

/** A new stub of the registry. */
export function registryOf(env: Pick<ObjectEnv, "REGISTRY" | "REGISTRY_LOCATION">) {
  const stub = env.REGISTRY.getByName(objectName, locationOptions(env));
  // The platform's RPC types reject `document`, which may be any JSON; what crosses is plain data.
  return stub as unknown as MeshApi & RouterExchangeApi & Pick<typeof stub, "fetch">;
}

/** A new stub of the telemetry object. */
export function telemetryOf(env: Pick<ObjectEnv, "TELEMETRY" | "REGISTRY_LOCATION">) {
  return env.TELEMETRY.getByName(objectName, locationOptions(env));
}

/** A new stub of the prober of a region; undefined where the Worker binds none. */
export function proberOf(env: Pick<ObjectEnv, "PROBER">, region: string) {
  const options = region === autoRegion ? {} : { locationHint: region as DurableObjectLocationHint };
  return env.PROBER?.getByName(region, options);
}

/** A new stub of a node's tunnel; undefined where the Worker binds none. */
export function tunnelOf(env: Pick<ObjectEnv, "TUNNEL">, nodeId: string) {
  return env.TUNNEL?.getByName(nodeId);
}

/** Names of the regions to check static servers from. Those of PROBE_REGIONS are location hints. */
export function regionsOf({ PROBE_REGIONS = "" }: Pick<Env, "PROBE_REGIONS">): readonly string[] {
  const named = PROBE_REGIONS.split(",")
    .map((region) => region.trim())
    .filter((region) => region !== "");
  return named.length === 0 ? [autoRegion] : [...new Set(named)];
}

/** A self-hosted workerd binds an unset variable as null. */
function locationOptions({
  REGISTRY_LOCATION,
}: Pick<Env, "REGISTRY_LOCATION">): DurableObjectNamespaceGetDurableObjectOptions {
  if (!REGISTRY_LOCATION) return {};
  return { locationHint: REGISTRY_LOCATION as DurableObjectLocationHint };
}
