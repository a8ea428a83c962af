// The statistics page of a Worker: selects the requests for it, and builds it from the Worker's bindings.

import { GuessLimit } from "../src/control/guess-limit.ts";
import { remoteMesh } from "../src/control/remote-mesh.ts";
import { remoteTelemetry } from "../src/control/remote-telemetry.ts";
import type { EntryPoint } from "../src/proxy/entry-point.ts";
import { type StatsApp, statsApp } from "../src/stats/app.ts";
import type { StatsDeps } from "../src/stats/context.ts";
import { readStatsTraffic } from "../src/stats/traffic.ts";
import { defaultStatsUri, isStatsUrl } from "../src/stats/uri.ts";
import { clientOf } from "./client-address.ts";
import { serve } from "./entry.ts";
import { registryOf, telemetryOf } from "./objects.ts";
import type { PlaneEnv } from "./plane.ts";

/**
 * Serves a request for the edge's statistics; passes all others to the data plane. The check costs other
 * requests one comparison of text.
 */
export function serveWithStats(
  request: Request,
  entry: EntryPoint,
  env: PlaneEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  const uri = statsUri(env);
  if (uri === "" || entry.role !== "edge") return serve(request, entry, env, ctx);
  // Services are reached at every host name and port of the edge.
  if (isStatsUrl(request.url, uri)) {
    return statsOf(env, true)(request, clientOf(request, entry.client, env));
  }
  return serve(request, entry, env, ctx);
}

/** How a request for the statistics came in. */
type StatsArrival = {
  /** True if services share this host name. */
  readonly sharesOrigin: boolean;
  /** The client's address; null if unknown. */
  readonly client: string | null;
};

/** Serves a request for the statistics; null for all others. */
export function serveStats(
  request: Request,
  env: PlaneEnv,
  { sharesOrigin, client }: StatsArrival,
): Promise<Response> | null {
  if (!isStatsUrl(request.url, statsUri(env))) return null;
  return statsOf(env, sharesOrigin)(request, client);
}

function statsUri({ STATS_URI = defaultStatsUri }: PlaneEnv): string {
  return STATS_URI;
}

/** Wrong tokens of this isolate, at the control API, the dashboard and the statistics together. */
export const guesses = new GuessLimit();

type StatsApps = { readonly shared: StatsApp; readonly own: StatsApp };

const statsApps = new WeakMap<PlaneEnv, StatsApps>();

/** The app reads the two objects itself: a Worker of the edge alone has no control API. */
function statsOf(env: PlaneEnv, sharesOrigin: boolean): StatsApp {
  const apps = statsApps.get(env) ?? makeApps(env);
  statsApps.set(env, apps);
  return sharesOrigin ? apps.shared : apps.own;
}

function makeApps(env: PlaneEnv): StatsApps {
  const deps = statsDeps(env);
  return {
    shared: statsApp({ ...deps, sharesOrigin: true }),
    own: statsApp({ ...deps, sharesOrigin: false }),
  };
}

export function statsDeps(env: PlaneEnv): Omit<StatsDeps, "sharesOrigin"> {
  const telemetry = remoteTelemetry(() => telemetryOf(env));
  return {
    mesh: remoteMesh(() => registryOf(env)),
    traffic: (isLive) => readStatsTraffic(telemetry, isLive),
    operatorToken: env.OPERATOR_TOKEN ?? "",
    viewerToken: env.VIEWER_TOKEN ?? "",
    guesses,
    uri: statsUri(env),
    now: () => Date.now(),
    newId: () => crypto.randomUUID(),
  };
}
