// The dashboard: HTML pages under /dashboard/, on top of the registry.

import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { describeError } from "../control/errors.ts";
import { requestIds } from "../control/request-id.ts";
import { printable } from "../domain/model/printable.ts";
import { actionRoutes } from "./action-routes.tsx";
import { serveAsset } from "./assets.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes, RequestOrigin } from "./context.ts";
import { pageHeaders } from "./headers.ts";
import { keyReader } from "./keys.ts";
import { liveRoute } from "./live-route.ts";
import { logRoutes } from "./log-routes.ts";
import { pageRoutes } from "./page-routes.tsx";
import { pagePaths } from "./paths.ts";
import { renderer, renderMessagePage } from "./render.tsx";
import { requireSignIn, signInLinkRoute, signInRoutes, signOutRoute } from "./sign-in-routes.tsx";
import { asSentence } from "./text.ts";
import { trafficReader } from "./traffic.ts";
import { viewReader } from "./view.ts";

export type { DashboardDeps } from "./context.ts";

/** The dashboard as a fetch handler. */
export type DashboardApp = {
  readonly fetch: (request: Request, origin: RequestOrigin) => Response | Promise<Response>;
};

/** The largest form holds a token and a path. */
const maxDashboardFormBytes = 16_384;

/** The order of routes matters: those after `requireSignIn` need a signed-in user. */
export function dashboardApp(deps: DashboardDeps): DashboardApp {
  const app: DashboardRoutes = new Hono<DashboardEnv>({ getPath: dashboardPath });
  const render = renderer(deps);
  const keys = keyReader({ operator: deps.operatorToken, viewer: deps.viewerToken ?? "" });
  const traffic = trafficReader(deps.telemetry);
  const views = viewReader(deps);
  app.onError((error, c) => {
    const { status, message } = describeError(deps, error, {
      requestId: c.get("requestId"),
      method: c.req.method,
      path: c.req.path,
    });
    const title = status === 404 ? "Not found" : status >= 500 ? "Something went wrong" : "Request failed";
    return renderMessagePage(render, c, status, title, asSentence(printable(message)), pagePaths.overview);
  });
  app.notFound((c) =>
    renderMessagePage(render, c, 404, "Not found", "There is no such page.", pagePaths.overview),
  );
  app.use(pageHeaders);
  app.get("/assets/:name", (c) => serveAsset(c, deps.assets, c.req.param("name")) ?? c.notFound());
  app.use(requestIds(deps));
  app.use(bodyLimit({ maxSize: maxDashboardFormBytes }));
  app.use(async (c, next) => {
    c.set("keys", await keys());
    await next();
  });
  app.route("/", signInLinkRoute(deps, keys));
  app.route("/", signInRoutes(deps, render));
  app.use(requireSignIn(deps));
  app.route("/", signOutRoute(deps, render));
  app.route("/", liveRoute(deps));
  app.route("/", logRoutes(deps));
  app.route("/", actionRoutes(deps, views, render));
  app.route("/", pageRoutes(deps, views, traffic, render));
  return { fetch: (request, origin) => app.fetch(request, origin) };
}

/** The path without `/dashboard`: `/` for the overview. */
function dashboardPath(request: Request): string {
  return new URL(request.url).pathname.slice("/dashboard".length);
}
