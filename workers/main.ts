// The whole mesh in one Worker: control, edge and each node's ingress.
//
// Entry points are plain objects: a WorkerEntrypoint class is instantiated for each request, which costs a
// tenth of proxying one.

import { authorityOf, hostName, pathOf } from "../src/proxy/http/host.ts";
import { peerOnCloudflare } from "./client-address.ts";
import { serveControl } from "./control.ts";
import { notAListener, sealedFacts, serveByHost, serveListener } from "./entry.ts";
import type { Env } from "./env.ts";
import { serveWithStats } from "./stats.ts";

export { MeshProber } from "./prober.ts";
export { MeshRegistry } from "./registry.ts";
export { MeshTelemetry } from "./telemetry.ts";
export { MeshTunnel } from "./tunnel.ts";

export default {
  fetch(request, env, ctx) {
    return isControl(request, env)
      ? serveControl(request, env, { sharesOrigin: env.CONTROL_HOST === "", peer: peerOnCloudflare(request) })
      : serveByHost(request, env, ctx, null, serveWithStats);
  },
} satisfies ExportedHandler<Env>;

/** The listeners' socket of a mesh on one machine. */
export const Entry = {
  fetch(request, env, ctx) {
    return serveListener(request, env, ctx, serveWithStats);
  },
} satisfies ExportedHandler<Env>;

/** The control API's socket of a mesh on one machine. */
export const Control = {
  async fetch(request, env) {
    const facts = await sealedFacts(request, env);
    if (facts?.role !== "control") return notAListener(request);
    return serveControl(request, env, { sharesOrigin: false, peer: facts.client });
  },
} satisfies ExportedHandler<Env>;

/**
 * True if a request is for the control API: by its host name, CONTROL_HOST. If that is empty, as in a first
 * deployment, by the paths of the Engine API, the native routes and the dashboard on any host.
 */
function isControl(request: Request, env: Env): boolean {
  const { url } = request;
  if (env.CONTROL_HOST !== "") return hostName(authorityOf(url)) === env.CONTROL_HOST.toLowerCase();
  return /^\/(?:(?:mesh|dashboard|v1\.\d+)\/|_ping(?:\?|$))/.test(pathOf(url));
}
