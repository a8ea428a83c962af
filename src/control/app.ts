// The control API: the Swarm subset of the Docker Engine API, and the native routes under /mesh/.

import { Hono } from "hono";
import { checkApiVersion, withoutVersion } from "./api-version.ts";
import { authentication } from "./auth.ts";
import { backupRoutes } from "./backup.ts";
import { containerRoutes } from "./containers.ts";
import type { ControlConnection, ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { dependencyRoutes } from "./dependencies.ts";
import { engineEventRoutes } from "./engine-events.ts";
import { engineResourceRoutes } from "./engine-resources.ts";
import { errorHandler, problem } from "./errors.ts";
import { logRoutes } from "./logs/log-routes.ts";
import { metricsRoutes } from "./metrics/route.ts";
import { nativeRoutes, openNativeRoutes } from "./native.ts";
import { networkRoutes } from "./networks.ts";
import { nodeRoutes } from "./nodes.ts";
import { requestIds } from "./request-id.ts";
import { routerRoutes } from "./router.ts";
import { serverRoutes } from "./servers.ts";
import { serviceRoutes } from "./services.ts";
import { swarmRoutes } from "./swarm.ts";
import { pingRoute, systemRoutes } from "./system.ts";
import { checkTarget, targetPath } from "./target.ts";
import { taskRoutes } from "./tasks.ts";

export type { ControlDeps } from "./context.ts";

/** The control API as a fetch handler. */
export type ControlApp = {
  /** @param connection absent: nothing is known about it */
  readonly fetch: (request: Request, connection?: ControlConnection) => Response | Promise<Response>;
};

/**
 * Mounts all routes. Their order matters: routes before `authentication` are public, all others need a token.
 *
 * @see docs/decisions/0001-engine-api.md
 */
export function controlApp(deps: ControlDeps): ControlApp {
  const app: ControlRoutes = new Hono<ControlEnv>({
    getPath: (request) => withoutVersion(targetPath(request)),
  });
  app.onError(errorHandler(deps));
  app.notFound((c) => problem(c, 404, "page not found"));
  app.use(requestIds(deps));
  app.use(checkTarget);
  app.use(checkApiVersion);
  app.route("/", pingRoute());
  app.route("/mesh", openNativeRoutes(deps));
  app.route("/mesh/router", routerRoutes(deps));
  app.use(authentication(deps));
  app.route("/mesh", nativeRoutes(deps));
  app.route("/mesh", serverRoutes(deps));
  app.route("/mesh", backupRoutes(deps));
  app.route("/metrics", metricsRoutes(deps));
  // Without a host name of its own, the control API cannot serve /metrics: that path belongs to the services.
  app.route("/mesh/metrics", metricsRoutes(deps));
  app.route("/", systemRoutes(deps));
  app.route("/swarm", swarmRoutes(deps));
  app.route("/nodes", nodeRoutes(deps));
  app.route("/services", serviceRoutes(deps));
  app.route("/tasks", taskRoutes(deps));
  app.route("/", logRoutes(deps));
  app.route("/networks", networkRoutes(deps));
  app.route("/secrets", dependencyRoutes("secret", deps));
  app.route("/configs", dependencyRoutes("config", deps));
  app.route("/events", engineEventRoutes(deps));
  app.route("/containers", containerRoutes(deps));
  app.route("/", engineResourceRoutes(deps));
  return { fetch: (request, connection = { client: null }) => app.fetch(request, connection) };
}
