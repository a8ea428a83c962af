// The control Worker: the Engine API and the native routes, in front of the registry object.

import { type ControlApp, controlApp } from "../src/control/app.ts";
import { callRemote, remoteMesh } from "../src/control/remote-mesh.ts";
import type { MeshApi } from "../src/registry/api.ts";
import { randomId } from "../src/registry/secrets.ts";
import type { Env } from "./env.ts";

export { MeshRegistry } from "./registry.ts";

/** Building the routes takes longer than most requests; they hold nothing of any one request. */
const apps = new WeakMap<Env, ControlApp>();

export default {
  fetch(request: Request, env: Env, _ctx: ExecutionContext): Response | Promise<Response> {
    return appOf(env).fetch(request);
  },
} satisfies ExportedHandler<Env>;

function appOf(env: Env): ControlApp {
  const known = apps.get(env);
  if (known !== undefined) return known;
  const app = controlApp({
    // Its RPC types cannot say a document that may be anything; what crosses is plain data.
    mesh: remoteMesh(() => registryOf(env) as unknown as MeshApi),
    operatorToken: env.OPERATOR_TOKEN ?? "",
    viewerToken: env.VIEWER_TOKEN ?? "",
    surroundings: {
      domain: env.MESH_DOMAIN.toLowerCase(),
      balancerPort: env.MESH_MODE === "local" ? Number(env.BALANCER_PORT) : null,
    },
    now: () => Date.now(),
    newId: randomId,
    upgrade: (request) =>
      callRemote(
        () => registryOf(env),
        (registry) => registry.fetch(request),
      ),
  });
  apps.set(env, app);
  return app;
}

/** The one registry. Where it is born is decided by whoever calls it first, so that every caller says the same. */
function registryOf(env: Env) {
  const hint = env.REGISTRY_LOCATION as DurableObjectLocationHint | "";
  return env.REGISTRY.getByName("mesh", hint === "" ? {} : { locationHint: hint });
}
