// The data plane of this isolate, made of its Worker's bindings and variables.

import { readTrusted } from "../src/proxy/http/trust.ts";
import { type LimitVariables, readLimits } from "../src/proxy/limits.ts";
import { createPlane, type DataPlane, type Dial, type PlaneOptions } from "../src/proxy/plane.ts";
import { dataPoints } from "../src/telemetry/data-points.ts";
import type { Env } from "./env.ts";
import { registryOf, telemetryOf } from "./objects.ts";

/** What the data plane needs of its Worker's bindings; a Worker without control has no more. */
export type PlaneEnv = Omit<Env, "CONTROL_HOST"> & LimitVariables;

let plane: DataPlane | undefined;

/** This isolate's data plane. */
export function planeOf(env: PlaneEnv): DataPlane {
  plane ??= createPlane({
    ...registryCalls(env),
    ...telemetryCalls(env),
    dial: env.MESH_MODE === "edge" ? dialUncached : (url, init) => fetch(url, init),
    ...readLimits(env),
    platformStatuses: env.MESH_MODE === "edge",
    meshName: env.MESH_NAME.replaceAll(/[^\w.-]/g, "-") || "waggle",
    domain: env.MESH_DOMAIN.toLowerCase(),
    trusts: readTrusted(env.TRUSTED_PROXIES),
    nowMs: () => Date.now(),
    random: Math.random,
    newId: () => crypto.randomUUID(),
  });
  return plane;
}

/** This isolate's data plane, which from its first request on knows where in the world it is. */
export function planeAt(request: Request, env: PlaneEnv): DataPlane {
  const own = planeOf(env);
  if (own.meter?.colo === "") own.meter.colo = placeOf(request);
  return own;
}

/** The data center that took the request, as its three letters: an isolate never moves to another. */
function placeOf(request: Request): string {
  const { colo } = (request.cf ?? {}) as { readonly colo?: unknown };
  return typeof colo === "string" && /^[A-Z]{3}$/.test(colo) ? colo : "local";
}

/** Cloudflare's cache would otherwise answer for a task; a negative time keeps out of it and adds no header. */
const uncached: RequestInit = { cf: { cacheTtlByStatus: { "100-599": -1 } } };

const dialUncached: Dial = (url, init) =>
  init instanceof Request ? fetch(new Request(url, init), uncached) : fetch(url, { ...init, ...uncached });

/**
 * Asks the registry object, by a new stub each time: one that has failed may stay broken. Says which router asks: a
 * task is stopped only once no live router routes by a table that still has it.
 */
function registryCalls(env: PlaneEnv): Pick<PlaneOptions, "source" | "suspect"> {
  const routerId = crypto.randomUUID();
  return {
    source: async (afterVersion) => {
      const { version, text, cookieKey } = await registryOf(env).pollTable(routerId, afterVersion);
      return cookieKey === undefined ? { version, text } : { version, text, cookieKey };
    },
    suspect: async (taskIds) => registryOf(env).suspect(routerId, taskIds),
  };
}

/** Sends what was counted to the telemetry object, and to Analytics Engine where that is bound. */
function telemetryCalls(env: PlaneEnv): Pick<PlaneOptions, "flush"> {
  // Without the binding (a configuration of an earlier release) nothing is counted, and traffic goes on.
  if (env.TELEMETRY === undefined) return {};
  const { ANALYTICS } = env;
  return {
    flush: async (delta) => {
      const counted = await telemetryOf(env).count(delta);
      if (!counted.ok) console.error({ message: "telemetry was refused", why: counted.problem.message });
      else if (counted.value) for (const point of dataPoints(delta)) ANALYTICS?.writeDataPoint(point);
    },
  };
}
