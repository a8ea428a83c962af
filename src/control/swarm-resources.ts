// What a Swarm has besides services and a mesh has not: networks, secrets, configs, image digests. Lists are empty, so
// that scripts which clear them up go on; what would be relied on is refused or answered with a warning.

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
  // `stack deploy` makes a network before anything else and only goes on when it got one.
  routes.post("/networks/create", async (c) => {
    readAs(NetworkRequest, await readBody(c.req.raw), "the network");
    const warning = "a mesh has no networks: tasks are reached through it by published port or host name";
    return c.json({ Id: newId(), Warning: warning }, 201);
  });
  for (const kind of ["secret", "config"]) {
    routes.post(`/${kind}s/create`, () => {
      throw httpError(501, `a mesh keeps no ${kind}s: give them to the image on each node, or as --env`);
    });
  }
  // The Docker CLI asks before each create. A mesh asks no image registry: without a digest, and with no platform to
  // keep to, the CLI goes on with the image as it is; to an error it would add a warning.
  routes.get("/distribution/*", (c) =>
    c.json({ Descriptor: { mediaType: "", digest: "", size: 0 }, Platforms: [] }),
  );
  return routes;
}

function notFound(message: string): MeshError {
  return new MeshError("resource/not-found", message, { blame: "operator", retry: "never" });
}
