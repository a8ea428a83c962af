// Engine API routes that a mesh does not have: containers, images, volumes. A mesh runs services on many
// machines; each refusal names the command to use instead.

import { Hono } from "hono";
import type { ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

const alternatives: Readonly<Record<string, string>> = {
  containers:
    "has no containers of its own; use docker service ls, docker service ps SERVICE and docker service create",
  exec: "runs no commands in tasks; run them on the task's node",
  images: "has no images; each node has its own",
  build: "builds no images; each node has its own",
  session: "builds no images; each node has its own",
  volumes: "has no volumes; tasks use the files of their node",
  plugins: "has no plugins",
  events: "has events in its own format; use waggle events -f or GET /mesh/events",
  system: "has no disk usage; use waggle status",
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
