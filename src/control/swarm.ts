// The swarm routes: join tokens. Init, join and leave have no counterpart in a mesh, and are refused.

import { Hono } from "hono";
import { MeshError } from "../domain/model/error.ts";
import { writeSwarm } from "../protocol/engine/write-swarm.ts";
import { operatorOnly } from "./auth.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest } from "./errors.ts";
import { readFlag, readVersion } from "./query.ts";
import { hostOf } from "./system.ts";

const partOfSwarm =
  'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';
const cannotLeave =
  "This is the manager of the mesh and cannot leave it. A node leaves when its agent stops; " +
  "a mesh ends when its Worker is deleted.";

export function swarmRoutes({ mesh }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  // A join token grants more than reading: it adds nodes.
  routes.get("/", operatorOnly, async (c) => {
    const [info, tokens] = await Promise.all([mesh.info(), mesh.joinTokens()]);
    return c.json(writeSwarm(info, tokens));
  });
  routes.post("/update", async (c) => {
    readVersion("swarm", c.req.query("version"));
    const worker = readFlag(c.req.query("rotateWorkerToken"));
    const manager = readFlag(c.req.query("rotateManagerToken"));
    if (!worker && !manager) throw badRequest("only the join tokens of a mesh can be updated");
    await mesh.rotateJoinTokens({ worker, manager }, "operator");
    return c.body(null, 200);
  });
  // Empty: the Docker CLI says that no unlock key is set.
  routes.get("/unlockkey", operatorOnly, (c) => c.json({ UnlockKey: "" }));
  routes.post("/unlock", () => {
    throw new MeshError("swarm/conflict", "swarm is not locked", { blame: "operator", retry: "never" });
  });
  routes.post("/init", () => {
    throw unavailable(partOfSwarm);
  });
  routes.post("/leave", () => {
    throw unavailable(cannotLeave);
  });
  routes.post("/join", (c) => {
    const { protocol } = new URL(c.req.url);
    throw unavailable(
      `a machine joins a mesh with its agent; run there: waggle agent --join TOKEN ${protocol}//${hostOf(c.req.raw)}, or the line of docker swarm join-token with waggle in place of docker`,
    );
  });
  return routes;
}

function unavailable(message: string): MeshError {
  return new MeshError("swarm/unavailable", message, { blame: "operator", retry: "never" });
}
