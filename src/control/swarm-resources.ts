// Routes for Swarm resources that a mesh does not have: secrets, configs, image digests. Lists are
// empty, so clean-up scripts work; creating one is refused.

import { Hono } from "hono";
import { MeshError } from "../domain/model/error.ts";
import type { ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

export function swarmResourceRoutes(): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  for (const kind of ["secret", "config"]) {
    routes.get(`/${kind}s`, (c) => c.json([]));
    routes.get(`/${kind}s/:ref`, (c) => {
      throw notFound(`${kind} ${c.req.param("ref")} not found`);
    });
    routes.delete(`/${kind}s/:ref`, (c) => {
      throw notFound(`${kind} ${c.req.param("ref")} not found`);
    });
  }
  for (const kind of ["secret", "config"]) {
    routes.post(`/${kind}s/create`, () => {
      throw httpError(501, `a mesh has no ${kind}s: put them on each node, or set them with --env`);
    });
  }
  // The Docker CLI resolves the image before each create. A mesh asks no image registry. With an empty digest
  // and no platforms the CLI uses the image name as it is; after an error it would print a warning.
  routes.get("/distribution/*", (c) =>
    c.json({ Descriptor: { mediaType: "", digest: "", size: 0 }, Platforms: [] }),
  );
  return routes;
}

function notFound(message: string): MeshError {
  return new MeshError("resource/not-found", message, { blame: "operator", retry: "never" });
}
