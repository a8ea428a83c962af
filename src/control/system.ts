// The system routes: ping, version, info.

import { Hono } from "hono";
import { isBalancer } from "../domain/model/node.ts";
import { apiVersion } from "../protocol/engine/version.ts";
import { writeInfo, writeVersion } from "../protocol/engine/write-info.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

/** The Docker CLI only reads the headers of a ping, and selects its API version by them. */
const pingHeaders = {
  "api-version": apiVersion,
  "docker-experimental": "false",
  ostype: "linux",
  swarm: "active/manager",
};

/** Needs no token: the Docker CLI sends a ping first. */
export function pingRoute(): ControlRoutes {
  return new Hono<ControlEnv>().get("/_ping", (c) => c.text("OK", 200, pingHeaders));
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
    const [info, machines] = await Promise.all([mesh.info(), mesh.nodes()]);
    const nodes = machines.filter((node) => !isBalancer(node));
    const addr = hostOf(c.req.raw);
    return c.json(writeInfo({ ...info, running: info.tasks.running, nodes, addr, nowMs: now() }));
  });
  return routes;
}

/** Host and port under which the client reached the control API. */
export function hostOf(request: Request): string {
  return request.headers.get("host") ?? new URL(request.url).host;
}
