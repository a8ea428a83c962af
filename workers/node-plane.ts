// The data plane of one machine: a node's ingress, or a balancer. It has no control plane and no objects: its
// process gets the routing table from the mesh and hands it on (src/local/router-relay.ts).

import { notAListener, sealedFacts, serveListener } from "./entry.ts";
import { type PlaneEnv, planeOf } from "./plane.ts";
import { serveWithRelayedStats } from "./relayed-stats.ts";

/** The listeners' socket. */
export const Entry = {
  async fetch(request, env, ctx) {
    const facts = await sealedFacts(request, env);
    return facts?.role === "control"
      ? routedVersion(env)
      : serveListener(request, env, ctx, serveWithRelayedStats);
  },
} satisfies ExportedHandler<PlaneEnv>;

/** The runtime's own socket, which no client knows. */
export default {
  fetch: (request) => notAListener(request),
} satisfies ExportedHandler;

/**
 * Takes the newest table, and responds with the version that requests are routed by from now on: the machine's
 * process tells the registry, which then stops tasks that are not in it.
 */
async function routedVersion(env: PlaneEnv): Promise<Response> {
  const { tables } = planeOf(env);
  const routes = await tables.fresh();
  return Response.json({ version: routes?.version ?? null });
}
