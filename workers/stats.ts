// The statistics page of a Worker: which requests are for it, and what it is given of the Worker's bindings.

import { remoteMesh } from "../src/control/remote-mesh.ts";
import { remoteTelemetry } from "../src/control/remote-telemetry.ts";
import type { EntryPoint } from "../src/proxy/entry-point.ts";
import { type StatsApp, statsApp } from "../src/stats/app.ts";
import { withoutToken } from "../src/stats/authorization.ts";
import { readStatsTraffic } from "../src/stats/traffic.ts";
import { defaultStatsUri, isStatsUrl } from "../src/stats/uri.ts";
import { serve } from "./entry.ts";
import { registryOf, telemetryOf } from "./objects.ts";
import type { PlaneEnv } from "./plane.ts";

/**
 * Hands a request to the data plane, unless it came in at the balancer and is for its statistics. Until then it costs
 * a comparison of characters and a look for one header.
 */
export function serveWithStats(
  request: Request,
  entry: EntryPoint,
  env: PlaneEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  const uri = statsUri(env);
  if (uri === "" || entry.role !== "edge") return serve(request, entry, env, ctx);
  // Services answer on the balancer's every host name and port.
  if (isStatsUrl(request.url, uri)) return statsOf(env, true)(request);
  return serve(withoutToken(request, env), entry, env, ctx);
}

/** The statistics when the request is for them, else null. @param sharesOrigin services answer under this host too */
export function serveStats(request: Request, env: PlaneEnv, sharesOrigin: boolean): Promise<Response> | null {
  return isStatsUrl(request.url, statsUri(env)) ? statsOf(env, sharesOrigin)(request) : null;
}

function statsUri({ STATS_URI = defaultStatsUri }: PlaneEnv): string {
  return STATS_URI;
}

type StatsApps = { readonly shared: StatsApp; readonly own: StatsApp };

const statsApps = new WeakMap<PlaneEnv, StatsApps>();

/** It reads the two objects itself: the balancer alone in its Worker has no control API to ask. */
function statsOf(env: PlaneEnv, sharesOrigin: boolean): StatsApp {
  const known = statsApps.get(env) ?? makeApps(env);
  statsApps.set(env, known);
  return sharesOrigin ? known.shared : known.own;
}

function makeApps(env: PlaneEnv): StatsApps {
  const telemetry = remoteTelemetry(() => telemetryOf(env));
  const deps = {
    mesh: remoteMesh(() => registryOf(env)),
    traffic: () => readStatsTraffic(telemetry),
    operatorToken: env.OPERATOR_TOKEN ?? "",
    viewerToken: env.VIEWER_TOKEN,
    uri: statsUri(env),
    now: () => Date.now(),
    newId: () => crypto.randomUUID(),
  };
  return {
    shared: statsApp({ ...deps, sharesOrigin: true }),
    own: statsApp({ ...deps, sharesOrigin: false }),
  };
}
