// The control Worker: the Engine API and the native routes, in front of the registry object.

import { type ControlApp, controlApp } from "../src/control/app.ts";
import type { ControlDeps } from "../src/control/context.ts";
import { Relay } from "../src/control/relay.ts";
import { callRemote, remoteMesh } from "../src/control/remote-mesh.ts";
import { remoteTelemetry } from "../src/control/remote-telemetry.ts";
import { hasReadableTarget } from "../src/control/target.ts";
import { readAccessSettings } from "../src/dashboard/access.ts";
import { type DashboardApp, dashboardApp } from "../src/dashboard/app.ts";
import assets from "../src/dashboard/built/assets.js";
import type { Result } from "../src/domain/model/error.ts";
import type { ClosedPort } from "../src/domain/model/node-listeners.ts";
import { relayPath } from "../src/gateway/relay.ts";
import { loopHeader, readLoopMarks } from "../src/proxy/http/loop-marks.ts";
import { randomId } from "../src/registry/secrets.ts";
import { clientOf, peerOnCloudflare } from "./client-address.ts";
import { connectorOf } from "./connector.ts";
import type { Env } from "./env.ts";
import { registryOf, telemetryOf, tunnelOf } from "./objects.ts";
import { gatewayDialerOf, planeName } from "./plane.ts";
import { serveRouterStats } from "./router-stats.ts";
import { guesses, serveStats } from "./stats.ts";
import { watchEvents } from "./watch-events.ts";

type ControlApps = {
  readonly control: ControlApp;
  readonly dashboard: DashboardApp;
  readonly relay: Relay;
};

/**
 * Built once per isolate: building the routes takes longer than most requests. They keep no state of a
 * request.
 */
const controlApps = new WeakMap<Env, ControlApps>();

export default {
  fetch(request: Request, env: Env, _ctx: ExecutionContext): Response | Promise<Response> {
    return serveControl(request, env, { sharesOrigin: false, peer: peerOnCloudflare(request) });
  },
} satisfies ExportedHandler<Env>;

/** How a request for the control API came in. */
type ControlArrival = {
  /** True if services share this host name. */
  readonly sharesOrigin: boolean;
  /** The address of the connection; null if unknown. */
  readonly peer: string | null;
};

/**
 * Passes a request to the relay, the statistics, the dashboard or the control API, by its path. Refuses a request
 * that came through the data plane: a task whose endpoint leads here must not publish the control API.
 */
export function serveControl(
  request: Request,
  env: Env,
  { sharesOrigin, peer }: ControlArrival,
): Response | Promise<Response> {
  const { control, dashboard, relay } = appsOf(env);
  // The control API refuses it, in its own form. Everything below may parse the URL.
  if (!hasReadableTarget(request)) return control.fetch(request);
  const { pathname } = new URL(request.url);
  const client = clientOf(request, peer, env);
  // Before the loop marks are read, which an attempt of a machine has.
  if (pathname.startsWith(relayPath)) return relay.serve(request, pathname, client);
  if (hasPassedDataPlane(request, env)) {
    return Response.json(
      { message: "the control API accepts no requests of published ports" },
      { status: 403, headers: { "x-content-type-options": "nosniff" } },
    );
  }
  const stats = serveStats(request, env, { sharesOrigin, client });
  if (stats !== null) return stats;
  if (pathname === "/mesh/router/stats") return serveRouterStats(request, env);
  if (pathname.startsWith("/dashboard/")) return dashboard.fetch(request, { sharesOrigin, client });
  if (pathname === "/" || pathname === "/dashboard") {
    return new Response(null, {
      status: 302,
      headers: { location: "/dashboard/", "x-content-type-options": "nosniff" },
    });
  }
  return control.fetch(request, { client });
}

/** True if a data plane of this mesh forwarded the request: it adds its loop mark. */
function hasPassedDataPlane({ headers }: Request, env: Env): boolean {
  const suffix = `.${planeName(env)}`;
  return readLoopMarks(headers.get(loopHeader)).some((mark) => mark.endsWith(suffix));
}

function appsOf(env: Env): ControlApps {
  const cached = controlApps.get(env);
  if (cached !== undefined) return cached;
  const deps = controlDeps(env);
  const access = readAccessSettings({
    teamDomain: env.ACCESS_TEAM_DOMAIN ?? "",
    audience: env.ACCESS_AUD ?? "",
    operators: env.ACCESS_OPERATORS ?? "",
  });
  const apps = {
    control: controlApp(deps),
    dashboard: dashboardApp({ ...deps, assets, access, meshName: env.MESH_NAME }),
    relay: new Relay({ mesh: deps.mesh, dialGateway: gatewayDialerOf(env), guesses, now: deps.now }),
  };
  controlApps.set(env, apps);
  return apps;
}

function controlDeps(env: Env): ControlDeps {
  const forward = (request: Request): Promise<Response> =>
    callRemote(
      () => registryOf(env),
      (registry) => registry.fetch(request),
    );
  return {
    mesh: remoteMesh(() => registryOf(env)),
    telemetry: remoteTelemetry(() => telemetryOf(env)),
    counters: {
      count: (delta) =>
        callRemote(
          () => telemetryOf(env),
          (object): Promise<Result<boolean>> => object.count(delta),
        ),
    },
    operatorToken: env.OPERATOR_TOKEN ?? "",
    viewerToken: env.VIEWER_TOKEN ?? "",
    guesses,
    entrySettings: {
      domain: env.MESH_DOMAIN.toLowerCase(),
      balancerPort: env.MESH_MODE === "local" ? Number(env.BALANCER_PORT) : null,
    },
    ...(env.LISTENERS !== undefined && { closedPorts: closedPortsReader(env.LISTENERS) }),
    now: () => Date.now(),
    newId: randomId,
    forward,
    watchEvents: (sinceSeq) => watchEvents(forward, sinceSeq),
    connector: (request) => connectorOf(request, env),
    dialGateway: gatewayDialerOf(env),
    openTunnel: (nodeId, request) => tunnelOf(env, nodeId)?.fetch(request) ?? null,
  };
}

function closedPortsReader(listeners: Pick<Fetcher, "fetch">): () => Promise<readonly ClosedPort[]> {
  return async () => {
    const response = await listeners.fetch("http://listeners/closed");
    return (await response.json()) as readonly ClosedPort[];
  };
}
