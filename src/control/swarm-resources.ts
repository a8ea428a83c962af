// Routes for Swarm resources that a mesh does not have: networks, secrets, configs, image digests. Lists are
// empty, so clean-up scripts work; creating one is refused, or gets a warning.

import { Hono } from "hono";
import { z } from "zod";
import { MeshError } from "../domain/model/error.ts";
import { readAs } from "../protocol/engine/read.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

const NetworkRequest = z.object({ Name: z.string().min(1) });

export function swarmResourceRoutes({ newId }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  for (const kind of ["network", "secret", "config"]) {
    routes.get(`/${kind}s`, (c) => c.json([]));
    routes.get(`/${kind}s/:ref`, (c) => {
      throw notFound(`${kind} ${c.req.param("ref")} not found`);
    });
    routes.delete(`/${kind}s/:ref`, (c) => {
      throw notFound(`${kind} ${c.req.param("ref")} not found`);
    });
  }
  // `docker stack deploy` creates a network first, and stops without one.
  routes.post("/networks/create", async (c) => {
    readAs(NetworkRequest, await readBody(c.req.raw), "the network");
    const warning = "a mesh has no networks: reach tasks by published port or host name";
    return c.json({ Id: newId(), Warning: warning }, 201);
  });
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
