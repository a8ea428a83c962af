// The pages to look at.

import { type Context, Hono } from "hono";
import { routeExplanation } from "../control/route.ts";
import { MeshError, unwrap } from "../domain/model/error.ts";
import type { RouteExplanation } from "../protocol/route.ts";
import type { SnapshotFilter } from "../telemetry/snapshot.ts";
import { actionPermission } from "./action-permission.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes } from "./context.ts";
import { requireIdentity } from "./identity.ts";
import { Events, eventText } from "./pages/events.tsx";
import { NodePage } from "./pages/node.tsx";
import { Nodes } from "./pages/nodes.tsx";
import { Overview } from "./pages/overview.tsx";
import { type ExplainForm, Routing } from "./pages/routing.tsx";
import { ServicePage } from "./pages/service.tsx";
import { Services } from "./pages/services.tsx";
import { paginate } from "./paging.ts";
import type { ChartRange } from "./parts/traffic.tsx";
import type { Render } from "./render.tsx";
import type { TrafficReader } from "./traffic.ts";
import type { ViewReader } from "./view.ts";

export function pageRoutes(
  deps: DashboardDeps,
  views: ViewReader,
  traffic: TrafficReader,
  render: Render,
): DashboardRoutes {
  const routes = new Hono<DashboardEnv>();
  const measured = async (of: SnapshotFilter) => {
    const [whole, parts] = await Promise.all([
      traffic({ ...of, tasks: false, series: true }),
      traffic({ ...of, trend: true, colos: true }),
    ]);
    return { whole, parts };
  };
  const asked = (c: Context) => [c.req.query("q") ?? "", c.req.query("page") ?? ""] as const;
  routes.get("/", async (c) => {
    const view = await views.read();
    return render(c, 200, { title: "Overview", section: "overview", view }, <Overview view={view} />);
  });
  routes.get("/services", async (c) => {
    const view = await views.read();
    const page = paginate(view.services, ({ spec }) => `${spec.name} ${spec.run.image}`, ...asked(c));
    return render(
      c,
      200,
      { title: "Services", section: "services", view },
      <Services view={view} page={page} />,
    );
  });
  routes.get("/services/:ref", async (c) => {
    const service = unwrap(await deps.mesh.service(c.req.param("ref")));
    const view = await views.read();
    const title = service.spec.name;
    const measures = { ...(await measured({ service: service.id })), span: chartRangeOf(c) };
    const may = actionPermission(requireIdentity(c), c.env);
    const page = <ServicePage view={view} service={service} mayAct={may} measures={measures} />;
    return render(c, 200, { title, section: "services", view, charts: true }, page);
  });
  routes.get("/nodes", async (c) => {
    const view = await views.read();
    const page = paginate(view.nodes, ({ hostname, address }) => `${hostname} ${address}`, ...asked(c));
    return render(c, 200, { title: "Nodes", section: "nodes", view }, <Nodes view={view} page={page} />);
  });
  routes.get("/nodes/:ref", async (c) => {
    const node = unwrap(await deps.mesh.node(c.req.param("ref")));
    const view = await views.read();
    const measures = { ...(await measured({ node: node.id })), span: chartRangeOf(c) };
    const may = actionPermission(requireIdentity(c), c.env);
    const page = <NodePage view={view} node={node} mayAct={may} measures={measures} />;
    return render(c, 200, { title: node.hostname, section: "nodes", view, charts: true }, page);
  });
  routes.get("/routing", async (c) => {
    const { url = "", method = "GET", node = "" } = c.req.query();
    const question = { url, method, node };
    const [view, outcome] = await Promise.all([views.read(), explainForm(deps, question)]);
    const page = <Routing view={view} question={question} outcome={outcome} />;
    return render(c, 200, { title: "Routing", section: "routing", view }, page);
  });
  routes.get("/events", async (c) => {
    const view = await views.read();
    const page = paginate(view.events, eventText, ...asked(c));
    return render(c, 200, { title: "Events", section: "events", view }, <Events view={view} page={page} />);
  });
  return routes;
}

function chartRangeOf(c: Context): ChartRange {
  return c.req.query("span") === "hour" ? "hour" : "minutes";
}

/** Null when nothing was asked; what cannot be read is told beside the form that asked. */
async function explainForm(
  { mesh, entrySettings }: DashboardDeps,
  { url, method, node }: ExplainForm,
): Promise<RouteExplanation | { readonly problem: string } | null> {
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
