// Engine API routes that a mesh does not have: images, volumes, plugins. A list is empty and a name is not found,
// as on an engine without any, so that clients which look at everything go on. What would create one is refused
// with what to use instead.

import { Hono } from "hono";
import { MeshError } from "../domain/model/error.ts";
import { writeContainerSummary } from "../protocol/engine/write-container.ts";
import { apiMinorOf } from "./api-version.ts";
import { containersOf } from "./containers.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { httpError } from "./errors.ts";

/** What to use instead, by the first part of a path. */
const alternatives: Readonly<Record<string, string>> = {
  exec: "runs no commands in tasks; run them on the task's node",
  images: "has no images; each node has its own",
  build: "builds no images; each node has its own",
  commit: "builds no images; each node has its own",
  session: "builds no images; each node has its own",
  grpc: "builds no images; each node has its own",
  volumes: "has no volumes; tasks use the files of their node",
  plugins: "has no plugins",
};

export function engineResourceRoutes({ mesh, now }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/images/json", (c) => c.json([]));
  routes.post("/images/prune", (c) => c.json({ ImagesDeleted: null, SpaceReclaimed: 0 }));
  // The Docker CLI resolves the image before each create. A mesh asks no image registry. With an empty digest
  // and no platforms the CLI uses the image name as it is; after an error it would print a warning.
  routes.get("/distribution/*", (c) =>
    c.json({ Descriptor: { mediaType: "", digest: "", size: 0 }, Platforms: [] }),
  );
  routes.get("/volumes", (c) => c.json({ Volumes: [], Warnings: null }));
  routes.post("/volumes/prune", (c) => c.json({ VolumesDeleted: null, SpaceReclaimed: 0 }));
  routes.get("/plugins", (c) => c.json([]));
  routes.post("/build/prune", (c) => c.json({ CachesDeleted: null, SpaceReclaimed: 0 }));
  routes.get("/system/df", async (c) => {
    const containers = await containersOf(mesh);
    return c.json({
      LayersSize: 0,
      Images: [],
      Containers: containers.map((container) => writeContainerSummary(container, now())),
      Volumes: [],
      BuildCache: [],
      ...(apiMinorOf(c) < 42 && { BuilderSize: 0 }),
    });
  });
  // The name of an image may have slashes.
  for (const [method, suffix] of [
    ["GET", "/json"],
    ["GET", "/history"],
    ["DELETE", ""],
  ] as const) {
    routes.on(method, `/images/:name{.+${suffix}}`, (c) => {
      const name = c.req.param("name").slice(0, -suffix.length || undefined);
      throw notFound(`No such image: ${withTag(name)}`);
    });
  }
  routes.on(["GET", "DELETE", "PUT"], "/volumes/:name", (c) => {
    throw notFound(`get ${c.req.param("name")}: no such volume`);
  });
  routes.get("/plugins/:name{.+/json}", (c) => {
    throw notFound(`plugin "${c.req.param("name").slice(0, -"/json".length)}" not found`);
  });
  for (const kind of Object.keys(alternatives)) {
    routes.all(`/${kind}`, () => refuse(kind));
    routes.all(`/${kind}/*`, () => refuse(kind));
  }
  return routes;
}

/** An image's name as dockerd quotes it: its last part has a tag or a digest. */
function withTag(name: string): string {
  return /[:@]/.test(name.slice(name.lastIndexOf("/") + 1)) ? name : `${name}:latest`;
}

function refuse(kind: string): never {
  throw httpError(501, `this endpoint is a swarm of services and ${alternatives[kind]}`);
}

function notFound(message: string): MeshError {
  return new MeshError("resource/not-found", message, { blame: "operator", retry: "never" });
}
