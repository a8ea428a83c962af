// The routes for static servers and admin states, which the Engine API does not have.

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import { downtimeMs, lastCheckText, serverStatus } from "../domain/model/server-health.ts";
import { readAs } from "../protocol/engine/read.ts";
import { AdminBody, ServerBody, ServerCreate, type ServerStatus, serverSpecOf } from "../protocol/server.ts";
import type { ServerView } from "../registry/api.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { readVersion } from "./query.ts";

export function serverRoutes({ mesh, now }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/servers", async (c) => {
    const servers = unwrap(await mesh.servers(c.req.query("service") ?? null));
    return c.json(servers.map((server) => serverStatusOf(server, now())));
  });
  routes.post("/servers", async (c) => {
    const { service, server, admin } = readAs(ServerCreate, await readBody(c.req.raw), "the server");
    const added = unwrap(await mesh.addServer(service, { spec: serverSpecOf(server), admin }, "operator"));
    return c.json(serverStatusOf(added, now()), 201);
  });
  routes.post("/servers/:service/:name/update", async (c) => {
    const version = c.req.query("version");
    const spec = serverSpecOf(readAs(ServerBody, await readBody(c.req.raw), "the server"));
    const baseVersion = version === undefined ? null : readVersion("server", version);
    const updated = unwrap(await mesh.updateServer(refOf(c.req.param()), baseVersion, spec, "operator"));
    return c.json(serverStatusOf(updated, now()));
  });
  routes.delete("/servers/:service/:name", async (c) => {
    unwrap(await mesh.removeServer(refOf(c.req.param()), "operator"));
    return c.body(null, 204);
  });
  routes.post("/admin", async (c) => {
    const { kind, ref, state } = readAs(AdminBody, await readBody(c.req.raw), "the admin state");
    unwrap(await mesh.setAdmin({ kind, ref }, state, "operator"));
    return c.body(null, 204);
  });
  return routes;
}

function refOf({ service, name }: { readonly service: string; readonly name: string }): string {
  return `${service}/${name}`;
}

/** @param nowMs the mesh's clock, epoch milliseconds */
export function serverStatusOf(server: ServerView, nowMs: number): ServerStatus {
  const { id, service, version, admin, spec, health } = server;
  return {
    id,
    service,
    version,
    admin,
    spec: { ...spec, check: spec.check === null ? null : { ...spec.check } },
    status: serverStatus(server),
    lastCheck: lastCheckText(server),
    sinceMs: health?.sinceMs ?? null,
    fails: health?.fails ?? 0,
    downs: health?.downs ?? 0,
    downtimeMs: health === null ? 0 : downtimeMs(admin, health, nowMs),
    last: health?.last ?? null,
    regions: Object.fromEntries(
      Object.entries(health?.regions ?? {}).map(([region, { counter }]) => [region, counter]),
    ),
  };
}
