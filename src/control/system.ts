// The system routes: ping, version, info.

import { Hono } from "hono";
import { isBalancer } from "../domain/model/node.ts";
import { containerState } from "../protocol/engine/write-container.ts";
import { writeInfo, writeVersion } from "../protocol/engine/write-info.ts";
import { apiMinorOf } from "./api-version.ts";
import { containersOf } from "./containers.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

/** Needs no token: the Docker CLI sends a ping first, and selects its API version by its headers. */
export function pingRoute(): ControlRoutes {
  return new Hono<ControlEnv>().get("/_ping", (c) => c.text("OK", 200, { swarm: "active/manager" }));
}

export function systemRoutes({ mesh, now }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/version", async (c) => c.json(writeVersion(await mesh.nodes())));
  routes.post("/auth", () => {
    throw httpError(
      501,
      "a mesh logs in to no image registry: log in with another context, as docker --context default login, or on the nodes",
    );
  });
  routes.get("/info", async (c) => {
    const [info, machines, all] = await Promise.all([mesh.info(), mesh.nodes(), containersOf(mesh)]);
    const nodes = machines.filter((node) => !isBalancer(node));
    const running = all.filter(({ task }) => containerState(task) === "running").length;
    const containers = { all: all.length, running };
    const addr = hostOf(c.req.raw);
    const input = { ...info, containers, nodes, addr, nowMs: now() };
    return c.json(writeInfo(input, apiMinorOf(c)));
  });
  return routes;
}

/** Host and port under which the client reached the control API. */
export function hostOf(request: Request): string {
  return request.headers.get("host") ?? new URL(request.url).host;
}
