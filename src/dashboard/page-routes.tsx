// The pages that show the mesh and change nothing.

import { type Context, Hono } from "hono";
import { routeExplanation } from "../control/route.ts";
import { MeshError, unwrap } from "../domain/model/error.ts";
import type { SnapshotFilter } from "../telemetry/snapshot.ts";
import { actionPermission } from "./action-permission.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { eventChanges, eventKinds, isOfKind } from "./event-changes.ts";
import { requireIdentity } from "./identity.ts";
import { logRefusal } from "./log-routes.ts";
import { Events, eventText } from "./pages/events.tsx";
import { NodePage } from "./pages/node.tsx";
import { Nodes } from "./pages/nodes.tsx";
import { Overview } from "./pages/overview.tsx";
import { type ExplainForm, type ExplainResult, Routing } from "./pages/routing.tsx";
import { ServicePage } from "./pages/service.tsx";
import { Services } from "./pages/services.tsx";
import { TaskPage, taskTitle } from "./pages/task.tsx";
import { paginate } from "./paging.ts";
import type { PageTraffic } from "./parts/traffic.tsx";
import type { Render } from "./render.tsx";
import { routeRows, routeText } from "./route-rows.ts";
import { formToken } from "./session.ts";
import type { TrafficReader } from "./traffic.ts";
import type { ViewReader } from "./view.ts";

export function pageRoutes(
  deps: DashboardDeps,
  views: ViewReader,
  traffic: TrafficReader,
  render: Render,
): DashboardRoutes {
  return new Hono<DashboardEnv>()
    .route("/", viewRoutes(views, render))
    .route("/", detailRoutes(deps, views, traffic, render))
    .route("/", routingRoute(deps, views, render));
}

/** The overview and the lists, which need the view alone. */
function viewRoutes(views: ViewReader, render: Render): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  routes.get("/", async (c) => {
    const view = await views.read();
    return render(c, 200, { title: "Overview", section: "overview", view }, <Overview view={view} />);
  });
  routes.get("/services", async (c) => {
    const view = await views.read();
    const page = paginate(view.services, ({ spec }) => `${spec.name} ${spec.run.image}`, listQuery(c));
    const permission = actionPermission(requireIdentity(c), c.env);
    const content = <Services view={view} page={page} permission={permission} />;
    return render(c, 200, { title: "Services", section: "services", view }, content);
  });
  routes.get("/nodes", async (c) => {
    const view = await views.read();
    const page = paginate(view.nodes, ({ hostname, address }) => `${hostname} ${address}`, listQuery(c));
    return render(c, 200, { title: "Nodes", section: "nodes", view }, <Nodes view={view} page={page} />);
  });
  routes.get("/events", async (c) => {
    const view = await views.read();
    const { kind: asked = "" } = c.req.query();
    const kind = Object.hasOwn(eventKinds, asked) ? asked : "";
    const changes = eventChanges(view);
    const ofKind = view.events.filter((event) => isOfKind(event, kind));
    const page = paginate(ofKind, (event) => eventText(event, changes.get(event.seq)), listQuery(c));
    const content = <Events view={view} page={page} kind={kind} />;
    return render(c, 200, { title: "Events", section: "events", view }, content);
  });
  return routes;
}

function listQuery(c: Context) {
  return { text: c.req.query("q") ?? "", page: c.req.query("page") ?? "" };
}

/** The pages of one service and one node, with their own traffic and charts. */
function detailRoutes(
  deps: DashboardDeps,
  views: ViewReader,
  traffic: TrafficReader,
  render: Render,
): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  routes.get("/services/:ref", async (c) => {
    const service = unwrap(await deps.mesh.service(c.req.param("ref")));
    const view = await views.read();
    const refusal = logRefusal(requireIdentity(c), c.env);
    const detail = await detailProps(c, traffic, { service: service.id });
    const token = formToken(c.get("keys"), requireIdentity(c));
    const props = { view, service, logRefusal: refusal, formToken: token, ...detail };
    const head = { title: service.spec.name, section: "services", view, charts: true } as const;
    return render(c, 200, head, <ServicePage {...props} />);
  });
  routes.get("/nodes/:ref", async (c) => {
    const node = unwrap(await deps.mesh.node(c.req.param("ref")));
    const view = await views.read();
    const props = { view, node, ...(await detailProps(c, traffic, { node: node.id })) };
    const head = { title: node.hostname, section: "nodes", view, charts: true } as const;
    return render(c, 200, head, <NodePage {...props} />);
  });
  routes.get("/tasks/:id", async (c) => {
    const task = unwrap(await deps.mesh.task(c.req.param("id")));
    const view = await views.read();
    const refusal = logRefusal(requireIdentity(c), c.env);
    const head = { title: taskTitle(task, view), section: "services", view } as const;
    return render(c, 200, head, <TaskPage view={view} task={task} logRefusal={refusal} />);
  });
  return routes;
}

async function detailProps(c: Context<DashboardEnv>, readTraffic: TrafficReader, filter: SnapshotFilter) {
  const permission = actionPermission(requireIdentity(c), c.env);
  const [total, byTask] = await Promise.all([
    readTraffic({ ...filter, tasks: false, series: true }),
    readTraffic({ ...filter, trend: true, colos: true }),
  ]);
  const range = c.req.query("range") === "hour" ? "hour" : "minutes";
  return { permission, traffic: { total, byTask, range } satisfies PageTraffic };
}

function routingRoute(deps: DashboardDeps, views: ViewReader, render: Render): DashboardRoutes {
  return new Hono<DashboardEnv>().get("/routing", async (c) => {
    const { url = "", method = "GET", node = "" } = c.req.query();
    const form = { url, method, node };
    const [view, result] = await Promise.all([views.read(), explain(deps, form)]);
    const routes = paginate(routeRows(view, deps.entrySettings.balancerPort), routeText, listQuery(c));
    const content = <Routing view={view} form={form} result={result} routes={routes} />;
    return render(c, 200, { title: "Routes", section: "routing", view }, content);
  });
}

/** Null if the form is empty. Unreadable input becomes a message beside the form instead of an error page. */
async function explain(
  { mesh, entrySettings }: DashboardDeps,
  { url, method, node }: ExplainForm,
): Promise<ExplainResult> {
  if (url === "") return null;
  const withScheme = url.includes("://") ? url : `http://${url}`;
  const query = { url: withScheme, method: method || undefined, node: node || undefined, host: undefined };
  try {
    return await routeExplanation(mesh, entrySettings, query);
  } catch (error) {
    if (error instanceof MeshError) return { problem: error.message };
    throw error;
  }
}
