// What an engine has and a mesh has not: containers, images, volumes. A mesh is many machines, and runs services; the
// refusal says what of a Swarm is meant instead.

import { Hono } from "hono";
import type { ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

const alternatives: Readonly<Record<string, string>> = {
  containers:
    "has no containers of its own; use docker service ls, docker service ps SERVICE and docker service create",
  exec: "runs nothing inside of tasks; that is done on the node that has the task",
  images: "keeps no images: each node knows its own by name",
  build: "builds no images: each node knows its own by name",
  session: "builds no images: each node knows its own by name",
  volumes: "keeps no volumes: tasks use what their node has",
  plugins: "has no plugins",
  events: "tells its events in words of its own; use waggle events -f, or GET /mesh/events",
  system: "uses no disk of its own; use waggle status",
};

export function engineResourceRoutes(): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  for (const [kind, instead] of Object.entries(alternatives)) {
    const refuse = () => {
      throw httpError(501, `this endpoint is a swarm of services and ${instead}`);
    };
    routes.all(`/${kind}`, refuse);
    routes.all(`/${kind}/*`, refuse);
  }
  return routes;
}
