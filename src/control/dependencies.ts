// The routes of secrets and configs: list, inspect, create, update, remove.

import { Hono } from "hono";
import { type Dependency, type DependencyKind, whyNotDataSize } from "../domain/model/dependency.ts";
import { MeshError, unwrap } from "../domain/model/error.ts";
import { readDependencySpec } from "../protocol/engine/dependency-schema.ts";
import { writeDependency } from "../protocol/engine/write-dependency.ts";
import { readText } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest, unwrapForDocker } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";
import { readVersion } from "./query.ts";

/** Bytes of a request with the largest config in base64, and some labels. */
const maxDependencyBytes = 2_097_152;

const filterKeys = {
  secret: ["id", "label", "name", "names"],
  config: ["id", "label", "name"],
} as const;
type DependencyFilters = Filters<"id" | "label" | "name" | "names">;

export function dependencyRoutes(kind: DependencyKind, { mesh }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters: DependencyFilters = readFilters(c.req.query("filters"), filterKeys[kind]);
    const found = (await mesh.dependencies(kind)).filter((dependency) => matches(filters, dependency));
    return c.json(found.map(writeDependency));
  });
  routes.post("/create", async (c) => {
    const { name, labels, data } = await readSpec(kind, c.req.raw);
    const input = { kind, name, labels, data: data ?? "" };
    const { id } = unwrapForDocker(await mesh.createDependency(input, "operator"));
    return c.json({ ID: id }, 201);
  });
  routes.get("/:ref", async (c) =>
    c.json(writeDependency(unwrap(await mesh.dependency(kind, c.req.param("ref"))))),
  );
  routes.post("/:ref/update", async (c) => {
    const update = await readSpec(kind, c.req.raw);
    const version = readVersion(kind, c.req.query("version"));
    unwrapForDocker(await mesh.updateDependency(kind, c.req.param("ref"), version, update, "operator"));
    return c.body(null, 200);
  });
  routes.delete("/:ref", async (c) => {
    unwrapForDocker(await mesh.removeDependency(kind, c.req.param("ref"), "operator"));
    return c.body(null, 204);
  });
  return routes;
}

/** Reads the body. No error quotes it, because it has the data. */
async function readSpec(kind: DependencyKind, request: Request) {
  let json: unknown;
  try {
    json = JSON.parse(await readText(request, maxDependencyBytes));
  } catch (error) {
    if (error instanceof SyntaxError) throw badRequest("the body is not JSON");
    // A body of this size has too much data.
    if (error instanceof MeshError && error.kind === "too-large")
      throw badRequest(
        `rpc error: code = InvalidArgument desc = ${whyNotDataSize(kind, maxDependencyBytes)}`,
      );
    throw error;
  }
  return readDependencySpec(kind, json);
}

/** As in SwarmKit, ids and names are alternatives of each other; labels must match too. */
function matches(filters: DependencyFilters, { id, name, labels }: Dependency): boolean {
  const isNamed = (["id", "name", "names"] as const).some((key) => filters.has(key));
  return (
    matchesFilter(filters, "label", labelTest(labels)) &&
    (!isNamed ||
      (filters.get("id") ?? []).some((value) => id.startsWith(value)) ||
      (filters.get("name") ?? []).some((value) => name.startsWith(value)) ||
      (filters.get("names") ?? []).includes(name))
  );
}
