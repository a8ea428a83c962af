// The routes of actions: GET shows the confirmation page, POST performs the action.

import { type Context, Hono } from "hono";
import { MeshError, unwrap } from "../domain/model/error.ts";
import { serverName } from "../domain/model/server.ts";
import type { MeshApi } from "../registry/api.ts";
import { actionPermission } from "./action-permission.ts";
import {
  type ActionParams,
  nodeAction,
  type OperatorAction,
  removeNodeAction,
  serviceAction,
} from "./actions.ts";
import { adminAction } from "./admin-action.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { requireIdentity } from "./identity.ts";
import { Confirm, type Confirmation } from "./pages/confirm.tsx";
import { CreateService } from "./pages/create-service.tsx";
import { pagePaths, servicePath } from "./paths.ts";
import { type Render, renderMessagePage } from "./render.tsx";
import { createServiceAction, removeServiceAction, updateServiceAction } from "./service-actions.ts";
import { formToken } from "./session.ts";
import { readForm, refuseForeignForm } from "./sign-in-routes.tsx";
import type { ViewReader } from "./view.ts";

/** Reads the target and the parameters of an action. @param ref from the path */
type ActionReader = (ref: string, params: ActionParams) => Promise<OperatorAction>;

export function actionRoutes(deps: DashboardDeps, views: ViewReader, render: Render): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  for (const [path, readAction] of Object.entries(actionReaders(deps.mesh, views))) {
    routes.get(path, async (c) => {
      const refusal = refuseViewer(c, render);
      if (refusal !== null) return refusal;
      const { confirmation } = await readAction(c.req.param("ref") ?? "", c.req.query());
      return renderConfirmation(c, render, confirmation);
    });
    routes.post(path, (c) => performAction(c, { deps, views, render, readAction }));
  }
  routes.route("/", serviceFormRoutes(deps, views, render));
  return routes;
}

/**
 * The forms of a service are sent to their confirmation, because their fields do not belong into a URL: an environment
 * may hold secrets.
 */
function serviceFormRoutes(deps: DashboardDeps, views: ViewReader, render: Render): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  const update: ActionReader = (ref, params) => updateServiceAction(deps.mesh, ref, params);
  const create: ActionReader = async (_ref, params) => createServiceAction(params);
  for (const [preview, path, readAction] of [
    ["/services/:ref/edit", "/services/:ref/update", update],
    ["/create-service/preview", "/create-service", create],
  ] as const) {
    routes.post(preview, async (c) => {
      const refusal = refuseViewer(c, render) ?? (await refuseForeignForm(c, render));
      if (refusal !== null) return refusal;
      const { confirmation } = await readAction(c.req.param("ref") ?? "", await readForm(c));
      return renderConfirmation(c, render, confirmation);
    });
    routes.post(path, (c) => performAction(c, { deps, views, render, readAction }));
  }
  routes.get("/create-service", async (c) => {
    const refusal = refuseViewer(c, render);
    if (refusal !== null) return refusal;
    const token = formToken(c.get("keys"), requireIdentity(c));
    const head = { title: "Create a service", section: "services" } as const;
    return render(c, 200, head, <CreateService formToken={token} />);
  });
  return routes;
}

function renderConfirmation(c: Context<DashboardEnv>, render: Render, confirmation: Confirmation): Response {
  const token = formToken(c.get("keys"), requireIdentity(c));
  const content = <Confirm confirmation={confirmation} formToken={token} />;
  return render(c, 200, { title: confirmation.title }, content);
}

async function performAction(
  c: Context<DashboardEnv>,
  {
    deps,
    views,
    render,
    readAction,
  }: {
    readonly deps: DashboardDeps;
    readonly views: ViewReader;
    readonly render: Render;
    readonly readAction: ActionReader;
  },
): Promise<Response> {
  const refusal = refuseViewer(c, render) ?? (await refuseForeignForm(c, render));
  if (refusal !== null) return refusal;
  const { confirmation, run } = await readAction(c.req.param("ref") ?? "", await readForm(c));
  await run(deps.mesh, requireIdentity(c).actor);
  views.invalidate();
  return c.redirect(confirmation.back, 303);
}

/** Every action by its path. */
function actionReaders(mesh: MeshApi, views: ViewReader): Readonly<Record<string, ActionReader>> {
  return {
    "/nodes/:ref/availability": async (ref, params) => nodeAction(mesh, await views.read(), ref, params),
    "/nodes/:ref/remove": async (ref, params) => removeNodeAction(mesh, await views.read(), ref, params),
    "/services/:ref/remove": (ref, params) => removeServiceAction(mesh, ref, params),
    "/nodes/:ref/admin": (ref, params) => nodeAdminAction(mesh, ref, params),
    "/tasks/:ref/admin": (ref, params) => taskAdminAction(mesh, ref, params),
    "/servers/:ref/admin": (ref, params) => serverAdminAction(mesh, ref, params),
    "/services/:ref/scale": (ref, params) => serviceAction(mesh, ref, "scale", params),
    "/services/:ref/restart": (ref, params) => serviceAction(mesh, ref, "restart", params),
    "/services/:ref/rollback": (ref, params) => serviceAction(mesh, ref, "rollback", params),
  };
}

async function nodeAdminAction(mesh: MeshApi, ref: string, params: ActionParams): Promise<OperatorAction> {
  const { id, hostname } = unwrap(await mesh.node(ref));
  return adminAction({ kind: "node", ref: id }, hostname, `${pagePaths.nodes}/${id}`, params);
}

async function taskAdminAction(mesh: MeshApi, ref: string, params: ActionParams): Promise<OperatorAction> {
  const { id, serviceId } = unwrap(await mesh.task(ref));
  const { spec } = unwrap(await mesh.service(serviceId));
  const name = `task ${id.slice(0, 12)} of ${spec.name}`;
  return adminAction({ kind: "task", ref: id }, name, servicePath(spec.name), params);
}

async function serverAdminAction(mesh: MeshApi, id: string, params: ActionParams): Promise<OperatorAction> {
  const server = unwrap(await mesh.servers(null)).find((candidate) => candidate.id === id);
  if (server === undefined)
    throw new MeshError("server/not-found", `server ${id} not found`, { blame: "operator", retry: "never" });
  const name = serverName(server.service, server);
  return adminAction({ kind: "server", ref: id }, name, servicePath(server.service), params);
}

/** Null if the user may act; otherwise the 403 response. */
function refuseViewer(c: Context<DashboardEnv>, render: Render): Response | null {
  const permission = actionPermission(requireIdentity(c), c.env);
  return permission.isAllowed
    ? null
    : renderMessagePage(render, c, 403, "Read-only access", permission.reason, pagePaths.overview);
}
