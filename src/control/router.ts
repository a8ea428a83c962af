// The routes of routers outside of the Workers: the data planes of nodes (`waggle agent --ingress`) and of
// balancer machines (`waggle edge`). Each authenticates with the credential of its machine.
//
//   GET  /mesh/router/table?after=VERSION&wait=SECONDS   the next routing table, with the keys of the mesh
//   POST /mesh/router/suspects                           tasks that do not respond
//   POST /mesh/router/counters                           traffic counters
//   GET  /mesh/router/stats?uri=URI&options=OPTIONS      a balancer's statistics page, see workers/router-stats.ts
//
// @see docs/decisions/0076-routers-on-machines.md

import { type Context, Hono } from "hono";
import { MeshError } from "../domain/model/error.ts";
import { readAs } from "../protocol/engine/read.ts";
import { routerRefusal, SuspectsReport } from "../protocol/router.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest } from "./errors.ts";

/** Counters of a mesh with 10,000 tasks take about 3 MB. */
const maxCounterBytes = 8_388_608;

export function routerRoutes({ mesh, counters, forward }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  // The registry object checks the credential, also after the wait.
  routes.get("/table", (c) => {
    const { search } = new URL(c.req.url);
    return forward(
      new Request(`https://registry/mesh/router/table${search}`, { headers: c.req.raw.headers }),
    );
  });
  routes.post("/suspects", async (c) => {
    const nodeId = await authenticated(c, mesh);
    const { taskIds } = readAs(SuspectsReport, await readBody(c.req.raw), "the report");
    await mesh.suspect(nodeId, taskIds);
    return c.body(null, 204);
  });
  routes.post("/counters", async (c) => {
    const nodeId = await authenticated(c, mesh);
    const delta = await readBody(c.req.raw, maxCounterBytes);
    const counted = await counters.count(ownDelta(delta, nodeId));
    if (!counted.ok) throw badRequest(counted.problem.message);
    return c.body(null, 204);
  });
  return routes;
}

/** The node whose credential the request has. @throws MeshError token/unauthorized, token/forbidden */
async function authenticated(c: Context<ControlEnv>, mesh: ControlDeps["mesh"]): Promise<string> {
  const nodeId = c.req.header("x-waggle-node") ?? "";
  const credential = /^Bearer (\S{1,200})$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
  const access = await mesh.routerAccess(nodeId, credential);
  if (access === "granted") return nodeId;
  const { status, message } = routerRefusal(access, nodeId);
  if (status === 503) throw new MeshError("token/unavailable", message, { blame: "operator", retry: "safe" });
  const code = status === 401 ? "token/unauthorized" : "token/forbidden";
  throw new MeshError(code, message, { blame: "node", retry: "never" });
}

/** The delta under an isolate of this node, so that it replaces the counters of no other router. */
function ownDelta(delta: unknown, nodeId: string): unknown {
  const { isolate } = (delta ?? {}) as { readonly isolate?: unknown };
  if (typeof isolate !== "string") return delta;
  return { ...(delta as object), isolate: `${nodeId}.${isolate}` };
}
