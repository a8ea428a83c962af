// The pages that act: GET says what would happen, POST does it.

import { type Context, Hono } from "hono";
import { MeshError, unwrap } from "../domain/model/error.ts";
import { serverName } from "../domain/model/server.ts";
import { actionPermission } from "./action-permission.ts";
import { type ActionParams, nodeAction, type OperatorAction, serviceAction } from "./actions.ts";
import { adminAction } from "./admin-action.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { requireIdentity, roleTokens } from "./identity.ts";
import { Confirm } from "./pages/confirm.tsx";
import { pagePaths, servicePath } from "./paths.ts";
import { type Render, renderMessagePage } from "./render.tsx";
import { formToken } from "./session.ts";
import { readForm, refuseForeignForm } from "./sign-in-routes.tsx";
import type { ViewReader } from "./view.ts";

type ActionReader = (c: Context<DashboardEnv>, asked: ActionParams) => Promise<OperatorAction>;

export function actionRoutes(deps: DashboardDeps, views: ViewReader, render: Render): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  const add = (path: string, read: ActionReader) => {
    routes.get(path, async (c) => {
      const refused = refuseViewer(c, render);
      if (refused !== null) return refused;
      const { confirmation } = await read(c, c.req.query());
      const form = formToken(roleTokens(deps), requireIdentity(c));
      const { title } = confirmation;
      return render(c, 200, { title }, <Confirm confirmation={confirmation} formToken={form} />);
    });
    routes.post(path, async (c) => {
      const refused = refuseViewer(c, render) ?? (await refuseForeignForm(c, deps, render));
      if (refused !== null) return refused;
      const { confirmation, run } = await read(c, await readForm(c));
      await run(deps.mesh, requireIdentity(c).actor);
      views.invalidate();
      return c.redirect(confirmation.back, 303);
    });
  };
  add("/nodes/:ref/availability", async (c, asked) =>
    nodeAction(deps.mesh, await views.read(), c.req.param("ref") ?? "", asked),
  );
  add("/nodes/:ref/admin", async (c, asked) => {
    const { id, hostname } = unwrap(await deps.mesh.node(c.req.param("ref") ?? ""));
    return adminAction({ kind: "node", ref: id }, hostname, `${pagePaths.nodes}/${id}`, asked);
  });
  add("/tasks/:id/admin", async (c, asked) => {
    const { id, serviceId } = unwrap(await deps.mesh.task(c.req.param("id") ?? ""));
    const { spec } = unwrap(await deps.mesh.service(serviceId));
    const name = `task ${id.slice(0, 12)} of ${spec.name}`;
    return adminAction({ kind: "task", ref: id }, name, servicePath(spec.name), asked);
  });
  add("/servers/:id/admin", async (c, asked) => {
    const id = c.req.param("id") ?? "";
    const server = unwrap(await deps.mesh.servers(null)).find((one) => one.id === id);
    if (server === undefined) throw serverNotFound(id);
    const name = serverName(server.service, server);
    return adminAction({ kind: "server", ref: id }, name, servicePath(server.service), asked);
  });
  for (const name of ["scale", "restart", "rollback"] as const) {
    add(`/services/:ref/${name}`, (c, asked) =>
      serviceAction(deps.mesh, c.req.param("ref") ?? "", name, asked),
    );
  }
  return routes;
}

function serverNotFound(id: string): MeshError {
  return new MeshError("server/not-found", `server ${id} not found`, { blame: "operator", retry: "never" });
}

function refuseViewer(c: Context<DashboardEnv>, render: Render): Response | null {
  const verdict = actionPermission(requireIdentity(c), c.env);
  return verdict.may
    ? null
    : renderMessagePage(render, c, 403, "You may look, not act", verdict.why, pagePaths.overview);
}
