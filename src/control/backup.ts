// The routes of backups and restores, for operators. Rows cross them only as sealed parts (protocol/backup.ts).

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import { maxSealedLength, RestoreCommit, RestoreRequest } from "../protocol/backup.ts";
import { readAs } from "../protocol/engine/read.ts";
import { operatorOnly } from "./auth.ts";
import { readBody, readText } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { readCountParameter } from "./query.ts";

const uncached = { "cache-control": "no-store" };

export function backupRoutes({ mesh }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.use("/backup/*", operatorOnly);
  routes.use("/restore/*", operatorOnly);
  routes.post("/backup", async (c) => c.json(unwrap(await mesh.startBackup("operator")), 201));
  routes.get("/backup/:id/:number", async (c) => {
    const { id, number } = c.req.param();
    return c.text(unwrap(await mesh.backupPart(id, readPartNumber(number))), 200, uncached);
  });
  routes.delete("/backup/:id", async (c) => {
    await mesh.endTransfer(c.req.param("id"));
    return c.body(null, 204);
  });
  routes.post("/restore", async (c) => {
    const request = readAs(RestoreRequest, await readBody(c.req.raw), "the restore");
    return c.json(unwrap(await mesh.startRestore(request, "operator")), 201);
  });
  routes.put("/restore/:id/:number", async (c) => {
    const { id, number } = c.req.param();
    const part = await readText(c.req.raw, maxSealedLength);
    unwrap(await mesh.putRestorePart(id, readPartNumber(number), part));
    return c.body(null, 204);
  });
  routes.post("/restore/:id", async (c) => {
    const commit = readAs(RestoreCommit, await readBody(c.req.raw), "the restore");
    return c.json(unwrap(await mesh.commitRestore(c.req.param("id"), commit, "operator")));
  });
  routes.delete("/restore/:id", async (c) => {
    await mesh.endTransfer(c.req.param("id"));
    return c.body(null, 204);
  });
  return routes;
}

/** @throws MeshError request/invalid */
function readPartNumber(text: string): number {
  // The fallback never applies: a route with `:number` matches only if the path has one.
  return readCountParameter("the number of the part", text, 9_999, -1);
}
